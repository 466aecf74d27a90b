import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openStore } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { LocalMaintenance, servicesOf } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import { Pins } from "@tvix/store/collect";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** A data directory of the version before stores had a journal: two paths, one of them pinned, files of every length. */
const FORMAT_1 = join(import.meta.dirname, "fixtures/store-format-1");

async function copied(): Promise<string> {
  const path = join(await temporaryDirectory(), "data");
  await cp(FORMAT_1, path, { recursive: true });
  return path;
}

/** Opens a store, and looks whether it has what the fixture has, and all of it is whole. */
async function expectAll(path: string): Promise<void> {
  await using store = await openStore(path);
  const services = servicesOf(store);
  const infos = await Array.fromAsync(services.pathInfoService.list());
  expect(infos.map(({ storePath }) => storePath.name).sort()).toEqual(["sub", "tree"]);
  for (const { node, narHash, narSize } of infos) {
    const nar = await new RenderingNarCalculation(services).calculateNar(node);
    expect(nar).toEqual({ narHash, narSize });
  }
  const pins = await Array.fromAsync(new Pins(store.database).list());
  expect(pins).toMatchObject([{ name: "kept", target: { storePath: expect.any(StorePath) } }]);
  const maintenance = new LocalMaintenance(store, services, { collection: { graceMs: 0 } });
  expect(await maintenance.verify({ data: "all" })).toMatchObject({ faults: 0, paths: 2, blobs: 1 });
}

test("a store of the version before opens, has everything, and gets a journal", async () => {
  const path = await copied();
  await expectAll(path);
  expect((await readdir(join(path, "journal"))).some((name) => name.endsWith(".checkpoint"))).toBe(true);
  await expectAll(path);
  // From which its index is made again.
  await rm(join(path, "index"), { recursive: true });
  await expectAll(path);
});

test("an upgrade that was interrupted is done anew, whatever lies there of it", async () => {
  const upgraded = await copied();
  await expectAll(upgraded);
  const other = await temporaryDirectory();
  {
    await using store = await openStore(join(other, "data"));
    await store.blobService.put(Buffer.from("of another store"));
  }
  const begun = async (make: (journal: string) => Promise<void>) => {
    const path = await copied();
    await make(join(path, "journal"));
    await expectAll(path);
    await rm(join(path, "index"), { recursive: true });
    await expectAll(path);
  };
  await begun((journal) => mkdir(journal).then(() => {}));
  await begun(async (journal) => {
    await mkdir(journal);
    await writeFile(join(journal, "0000000000000001.checkpoint.new"), "not all of it");
  });
  // The checkpoint is there, and nothing in the index says so.
  await begun((journal) => cp(join(upgraded, "journal"), journal, { recursive: true }));
  await begun((journal) => cp(join(other, "data", "journal"), journal, { recursive: true }));
});
