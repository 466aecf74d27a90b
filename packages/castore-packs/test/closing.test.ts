import { readdir, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { openStore } from "@tvix/castore-packs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

async function openPacks(data: string): Promise<number> {
  const targets = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return targets.filter((target) => target.startsWith(join(data, "packs"))).length;
}

test("a store that is closed while blobs are read leaves no pack open", async () => {
  const data = join(await temporaryDirectory(), "data");
  const store = await openStore(data, { sync: false });
  const digest = await store.blobService.put(fixtures.pseudoRandomBytes(8_000_000, 1));
  const streams = await Promise.all(Array.from({ length: 8 }, () => store.blobService.read(digest)));
  const reading = Promise.allSettled(
    streams.map(async (stream) => {
      for await (const _ of stream ?? []);
    }),
  );
  await store.close();
  for (const end of await reading)
    if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "CLOSED" });
  expect(await openPacks(data)).toBe(0);
});

test("a store of which a pack is missing closes in peace, whenever that is", async () => {
  const data = join(await temporaryDirectory(), "data");
  const store = await openStore(data, { sync: false, packBytes: 1 << 20 });
  const digest = await store.blobService.put(fixtures.pseudoRandomBytes(5_000_000, 1));
  await store.close();
  const packs = (await readdir(join(data, "packs"))).sort();
  await rm(join(data, "packs", packs.at(-1) ?? ""));
  for (let round = 0; round < 100; round++) {
    const again = await openStore(data, { sync: false });
    const stream = await again.blobService.read(digest);
    const reading = (async () => {
      for await (const _ of stream ?? []);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
    await again.close();
  }
});

test("a put whose source says nothing ends with its signal, and nothing is stored", async () => {
  await using store = await openStore(join(await temporaryDirectory(), "data"), { sync: false });
  const controller = new AbortController();
  const silent = Promise.withResolvers<void>();
  async function* source() {
    yield fixtures.pseudoRandomBytes(1_000_000, 1);
    controller.abort(new Error("enough"));
    await silent.promise;
  }
  await expect(store.blobService.put(source(), { signal: controller.signal })).rejects.toThrow("enough");
  silent.resolve();
});
