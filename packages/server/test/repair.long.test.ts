import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { LocalMaintenance } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import type { RepairSource, RepairStep } from "@tvix/store/repair";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { fill, type OpenFolder, opened, PATH } from "./stored-path.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

/** Length of the record of a chunk that lies in a pack. */
const LOCATION_BYTES = 21;

/** Repairs a store, and looks whether nothing is wrong with it then. */
async function repair(
  { store, services }: OpenFolder,
  sources: readonly RepairSource[] = [],
): Promise<readonly RepairStep[]> {
  const maintenance = new LocalMaintenance(store, services, {
    collection: { graceMs: 0 },
    openRepairSources: async () => ({ sources, async [Symbol.asyncDispose]() {} }),
    onSourceFailure: (error) => {
      throw error;
    },
  });
  const steps: RepairStep[] = [];
  const result = await maintenance.repair({ data: "all", onStep: (step) => void steps.push(step) });
  const counted = Object.values(result.steps).reduce((sum, count) => sum + count, 0);
  expect(counted).toBe(steps.length);
  const left: unknown[] = [];
  await maintenance.verify({ data: "all", onFault: (fault) => void left.push(fault) });
  expect(left).toEqual([]);
  return steps;
}

function sourceOf({ services }: OpenFolder): RepairSource {
  return { name: "the other", ...services };
}

/** Whether all of the path can be read, and is what its path info says; false when it counts as absent. */
async function isWhole({ services }: OpenFolder): Promise<boolean> {
  const info = await services.pathInfoService.get(PATH.digest);
  if (info === undefined) return false;
  const { narHash, narSize } = await new RenderingNarCalculation(services).calculateNar(info.node);
  expect({ narHash, narSize }).toEqual({ narHash: info.narHash, narSize: info.narSize });
  return true;
}

test("one bit in any record, or one record less: mended from another store; without one it counts as absent", {
  timeout: 120_000,
}, async () => {
  const other = await opened(await temporaryDirectory());
  const open = await opened(await temporaryDirectory());
  for (const each of [other, open]) {
    await fill(each.services);
    await each.services.usage.flush();
  }
  const { database } = open.store;
  const records = await Array.fromAsync(database.entries({ prefix: new Uint8Array(0) }));
  const tables = new Set<string>();
  for (const [key, value] of records) {
    const table = Buffer.from(key.subarray(0, 2)).toString("latin1");
    if (table === "m1" || table.startsWith("~")) continue;
    tables.add(table);
    const damaged = value.slice();
    damaged[value.length >> 1] = (value[value.length >> 1] as number) ^ 0x10;
    for (const now of [damaged, undefined]) {
      const what = `${table} ${now === undefined ? "gone" : "damaged"}`;
      const harm = async () => {
        await open.services.pathInfoService.forget?.(PATH.digest);
        await database.write([now === undefined ? { type: "del", key } : { type: "put", key, value: now }]);
      };
      // Nothing tells that such a record is missing.
      const isUnknown = now === undefined && (table === "p1" || table === "h1");
      await harm();
      const alone = await repair(open);
      // Where a chunk is, the packs tell as well.
      const isServed = table === "h1" || (table === "c1" && value.length === LOCATION_BYTES);
      expect(await isWhole(open), what).toBe(isServed);
      if (!isUnknown) expect(alone.length, what).toBeGreaterThan(0);
      await fill(open.services);
      await repair(open);

      await harm();
      const mended = await repair(open, [sourceOf(other)]);
      if (!isUnknown) expect(mended.length, what).toBeGreaterThan(0);
      expect(await isWhole(open), what).toBe(!isUnknown || table === "h1");
      await fill(open.services);
      expect(await isWhole(open)).toBe(true);
    }
  }
  expect([...tables].sort()).toEqual(["b1", "c1", "d1", "h1", "p1"]);
});

test("a path that lacks something is offered again once that is there", async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  const { database } = open.store;
  for await (const [key] of database.entries({ prefix: Buffer.from("d1") })) {
    await database.write([{ type: "del", key }]);
  }
  const gone = await repair(open);
  expect(gone).toEqual([expect.objectContaining({ action: "quarantined", name: PATH.toAbsolute() })]);
  expect(await isWhole(open)).toBe(false);
  expect(await repair(open)).toEqual([expect.objectContaining({ action: "lost", name: PATH.toAbsolute() })]);
  const info = await (async () => {
    const other = await opened(await temporaryDirectory());
    await fill(other.services);
    return { other, steps: await repair(open, [sourceOf(other)]) };
  })();
  expect(info.steps).toContainEqual(expect.objectContaining({ action: "released", name: PATH.toAbsolute() }));
  expect(await isWhole(open)).toBe(true);
});

test("what is left of a quarantined path stays, until it is forgotten", async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  const { database } = open.store;
  const chunks = await Array.fromAsync(database.entries({ prefix: Buffer.from("c1") }));
  const [key] = chunks.find(([, value]) => value.length < LOCATION_BYTES) as [Uint8Array, Uint8Array];
  await database.write([{ type: "del", key }]);
  const maintenance = new LocalMaintenance(open.store, open.services, { collection: { graceMs: 0 } });
  expect((await repair(open)).map(({ action }) => action)).toEqual(["quarantined"]);
  for (let time = 0; time < 3; time++) await maintenance.collect();
  await open.services.blobService.put(Buffer.from("short\n"));
  expect((await repair(open)).map(({ action }) => action)).toEqual(["released"]);
  expect(await isWhole(open)).toBe(true);
});

test("a path that was stored again is not quarantined any more, and is forgotten as a whole", async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  const { database } = open.store;
  for await (const [key] of database.entries({ prefix: Buffer.from("d1") })) {
    await database.write([{ type: "del", key }]);
  }
  await repair(open);
  await fill(open.services);
  expect(await Array.fromAsync(database.entries({ prefix: Buffer.from("v1") }))).toEqual([]);
  const maintenance = new LocalMaintenance(open.store, open.services, { collection: { graceMs: 0 } });
  await maintenance.forget(PATH);
  const other = await opened(await temporaryDirectory());
  await fill(other.services);
  expect(await repair(open, [sourceOf(other)])).toEqual([]);
  expect(await isWhole(open)).toBe(false);
});

test("a forgotten path does not come back from the quarantine", async () => {
  const open = await opened(await temporaryDirectory());
  await fill(open.services);
  const { database } = open.store;
  for await (const [key] of database.entries({ prefix: Buffer.from("d1") })) {
    await database.write([{ type: "del", key }]);
  }
  await repair(open);
  const maintenance = new LocalMaintenance(open.store, open.services, { collection: { graceMs: 0 } });
  expect((await maintenance.forget(PATH)).storePaths).toEqual([PATH.toAbsolute()]);
  expect(await repair(open)).toEqual([]);
});

test("from a daemon, or from its binary cache; the index may be gone or in pieces", {
  timeout: 120_000,
}, async () => {
  const base = await temporaryDirectory();
  const [data, other] = [join(base, "data"), join(base, "other")];
  const source = join(base, "source");
  await writeFile(source, fixtures.pseudoRandomBytes(3_000_000, 8));
  const path = (await tvixStore("import", source, "--data", data)).stdout.trim();
  await tvixStore("import", source, "--data", other);
  const daemon = await startDaemon(other);
  // The path certifies itself; some key there has to be.
  const cache = `nix+${daemon.url}?trusted-public-keys=cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=`;
  const pack = join(data, "packs", (await readdir(join(data, "packs")))[0] as string);
  for (const [index, from] of [`grpc+${daemon.url}`, cache].entries()) {
    const bytes = await readFile(pack);
    const at = 10_000 + index * 1_000_000;
    bytes[at] = (bytes[at] as number) ^ 1;
    await writeFile(pack, bytes);
    expect((await tvixStore("verify", "--read-data", "--data", data)).status).toBe(1);
    const repaired = await tvixStore("repair", "--read-data", "--data", data, "--from", from);
    expect(repaired, from).toMatchObject({ status: 0, stdout: expect.stringContaining("mended") });
    expect((await tvixStore("verify", "--read-data", "--data", data)).status).toBe(0);
  }
  for (const lost of ["index", "index/CURRENT", "journal"]) {
    await rm(join(data, lost), { recursive: true });
    expect(await tvixStore("repair", "--data", data), lost).toMatchObject({ status: 0 });
    expect(await tvixStore("verify", "--read-data", "--data", data), lost).toMatchObject({ status: 0 });
    expect((await tvixStore("path-info", "list", "--data", data)).stdout.trim(), lost).toBe(path);
  }
  const refused = await tvixStore("repair", "--service-addr", `grpc+${daemon.url}`, "--remake-index");
  expect(refused.status).toBe(2);
});
