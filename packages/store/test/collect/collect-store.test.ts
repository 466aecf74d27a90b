import { MemoryRecordStore } from "@tvix/castore";
import {
  type CollectStoreOptions,
  collectStore,
  findStoreGarbage,
  forgetPath,
  type PathThatGoes,
  Pins,
} from "@tvix/store/collect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Client, countRecords, pathOf } from "./world.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let client: Client;
let now: number;

/** Lets time pass. */
async function pass(ms: number): Promise<void> {
  await client.usage.flush();
  now += ms;
  vi.setSystemTime(now);
}

beforeEach(async () => {
  now = 1e12;
  vi.useFakeTimers({ toFake: ["Date"], now });
  client = await Client.of(new MemoryRecordStore());
});
afterEach(() => void vi.useRealTimers());

/** Both looks; the paths that went. */
async function collectAll(options: Omit<CollectStoreOptions, "graceMs"> = {}): Promise<string[]> {
  const gone: PathThatGoes[] = [];
  const onPath = (path: PathThatGoes) => void gone.push(path);
  await collectStore(client.parts, { ...options, graceMs: HOUR, onPath });
  await pass(HOUR);
  await collectStore(client.parts, { ...options, graceMs: HOUR, onPath });
  return gone.map(({ storePath, reason }) => `${storePath.name}: ${reason}`);
}

const isThere = async (number: number) => (await client.pathInfos.get(pathOf(number).digest)) !== undefined;

describe("a collection of a store", () => {
  test("keeps every path, and removes contents that none has", async () => {
    const kept = await client.putPath(1, [1, 2, 3]);
    const gone = await client.putContents([3, 4, 5, 6]);
    expect(await collectAll()).toEqual([]);
    expect(await client.isWhole(kept.node)).toBe(true);
    expect(await client.isWhole(gone)).toBe(false);
    const counts = await countRecords(client.records);
    expect(counts).toMatchObject({ p1: 1, h1: 1, d1: 2, b1: 1, "~t1": 1 });
    expect(counts["g1"]).toBeUndefined();
  });

  test("removes paths that nobody used for a while, and what refers to none stays whole", async () => {
    await client.putPath(1, [1]);
    await client.putPath(2, [1, 2], { references: [1] });
    await client.putPath(3, [3, 6, 9]);
    await pass(20 * DAY);
    expect(await isThere(2)).toBe(true);
    await pass(20 * DAY);
    expect(await collectAll({ unusedMs: 30 * DAY })).toEqual(["path-3: unused"]);
    for (const number of [1, 2]) {
      const info = await client.pathInfos.get(pathOf(number).digest);
      expect(info && (await client.isWhole(info.node))).toBe(true);
    }
    expect(await isThere(3)).toBe(false);
    expect(await countRecords(client.records)).toMatchObject({ p1: 2, h1: 2, "~t1": 2 });
  });

  test("a path of which no use is known counts as used when it is first seen", async () => {
    await client.putPath(1, [1]);
    await client.usage.flush();
    for await (const [key] of client.records.entries({ prefix: Buffer.from("~t1") })) {
      await client.records.write([{ type: "del", key }]);
    }
    expect(await collectAll({ unusedMs: 2 * DAY })).toEqual([]);
    await pass(2 * DAY);
    expect(await collectAll({ unusedMs: 2 * DAY })).toEqual(["path-1: unused"]);
    expect(await countRecords(client.records)).toEqual({});
  });

  test("keeps to a size: who was used the longest time ago goes first, shared contents count once", async () => {
    for (const number of [1, 2, 3]) {
      await client.putPath(number, [0, number * 3]);
      await pass(DAY);
    }
    // Each has 3000 bytes of its own, and all share 3000.
    expect(await isThere(1)).toBe(true);
    await pass(1);
    expect(await collectAll({ maxBytes: 9500 })).toEqual(["path-2: size"]);
    expect(await collectAll({ maxBytes: 6500 })).toEqual(["path-3: size"]);
    await new Pins(client.records).set("mine", { type: "path", storePath: pathOf(1) });
    expect(await collectAll({ maxBytes: 10 })).toEqual([]);
    await new Pins(client.records).remove("mine");
    expect(await collectAll({ maxBytes: 10 })).toEqual(["path-1: size"]);
    expect(await countRecords(client.records)).toEqual({});
  });

  test("keeps what is pinned, a path with all it refers to, and contents", async () => {
    const pins = new Pins(client.records);
    await client.putPath(1, [1]);
    await client.putPath(2, [2], { references: [1] });
    await client.putPath(3, [3]);
    const node = await client.putContents([7, 8, 9]);
    await pins.set("release/1", { type: "path", storePath: pathOf(2) });
    await pins.set("tree", { type: "node", node });
    await pass(3 * DAY);
    expect(await collectAll({ unusedMs: DAY })).toEqual(["path-3: unused"]);
    expect(await client.isWhole(node)).toBe(true);
    const listed = await Array.fromAsync(pins.list());
    expect(listed.map(({ name, target }) => `${name} ${target.type}`)).toEqual([
      "release/1 path",
      "tree node",
    ]);
    expect(await pins.remove("tree")).toBe(true);
    expect(await pins.remove("tree")).toBe(false);
    await expect(pins.set("no such", { type: "node", node })).rejects.toMatchObject({ code: "INVALID_NAME" });
    const absent = pins.set("x", { type: "path", storePath: pathOf(9) });
    await expect(absent).rejects.toMatchObject({ code: "MISSING_REFERENCES" });
    await collectAll();
    expect(await client.isWhole(node)).toBe(false);
  });

  test("a dry look says what would go", async () => {
    await client.putPath(1, [1]);
    await client.putPath(2, [2]);
    await pass(3 * DAY);
    expect(await isThere(1)).toBe(true);
    await client.usage.flush();
    const before = await countRecords(client.records);
    const gone: string[] = [];
    const found = await findStoreGarbage(client.parts, {
      unusedMs: DAY,
      onPath: ({ storePath }) => void gone.push(storePath.name),
    });
    expect(gone).toEqual(["path-2"]);
    expect(found).toMatchObject({ paths: 1, contents: { directories: 2, chunks: 1 } });
    expect(await countRecords(client.records)).toEqual(before);
  });

  test("a path that is put while its contents go is refused, or whole", async () => {
    const info = await client.putPath(1, [1, 2, 3]);
    await forgetPath(client.parts, info.storePath);
    await expect(client.pathInfos.put(info)).rejects.toMatchObject({ code: "INCOMPLETE" });
    await client.putContents([1, 2, 3], { asksFirst: false });
    await client.pathInfos.put(info);
    await collectAll();
    expect(await client.isWhole(info.node)).toBe(true);
  });

  test("a path whose contents have gone is refused, however long ago that was", async () => {
    const node = await client.putContents([1, 2, 3]);
    await collectAll();
    await pass(3 * DAY);
    const { storePath } = await client.putPath(2, [4]);
    const info = await client.pathInfos.get(storePath.digest);
    if (info === undefined) throw new Error("it was put");
    const late = client.pathInfos.put({ ...info, storePath: pathOf(1), node });
    await expect(late).rejects.toMatchObject({ code: "INCOMPLETE" });
    expect(await isThere(1)).toBe(false);
  });

  test("what is pinned while paths go stays", async () => {
    await client.putPath(1, [1]);
    await client.putPath(2, [2]);
    await pass(3 * DAY);
    const pinned: string[] = [];
    const onPath = async ({ storePath }: PathThatGoes) => {
      const other = storePath.equals(pathOf(1)) ? 2 : 1;
      const pin = new Pins(client.records).set(`pin-${other}`, { type: "path", storePath: pathOf(other) });
      await pin.then(() => pinned.push(pathOf(other).name));
    };
    await collectStore(client.parts, { unusedMs: DAY, graceMs: HOUR, onPath });
    expect(pinned).toHaveLength(1);
    expect(await isThere(Number(pinned[0]?.slice(-1)))).toBe(true);
  });
});

describe("forgetting a path", () => {
  test("does nothing while somebody collects", async () => {
    const { storePath } = await client.putPath(1, [1]);
    await client.putContents([2]);
    const seen: unknown[] = [];
    const parts = {
      ...client.parts,
      markAlso: async () => {
        seen.push(await forgetPath(client.parts, storePath).catch(({ code }) => code));
      },
    };
    await collectStore(parts, { graceMs: HOUR });
    expect(seen).toEqual(["LOCKED"]);
    expect(await isThere(1)).toBe(true);
    expect(await forgetPath(client.parts, storePath)).toMatchObject({
      removed: { directories: 2 },
    });
  });

  test("removes what only it used, at once", async () => {
    const kept = await client.putPath(1, [1, 3]);
    const gone = await client.putPath(2, [3, 4, 6]);
    const forgotten = await forgetPath(client.parts, gone.storePath);
    expect(forgotten?.removed).toMatchObject({ directories: 2, blobs: 1 });
    expect(await isThere(2)).toBe(false);
    expect(await client.isWhole(gone.node)).toBe(false);
    expect(await client.isWhole(kept.node)).toBe(true);
    expect(await countRecords(client.records)).toMatchObject({ p1: 1, h1: 1, d1: 2, b1: 1 });
    expect(await forgetPath(client.parts, gone.storePath)).toBeUndefined();
  });

  test("leaves no list behind that lacks a chunk", async () => {
    const gone = await client.putPath(1, [3]);
    // As a longer file that begins alike has them, which nothing reaches.
    const other = await client.putLonger(3);
    expect(await client.hasFile(other)).toBe(true);
    await forgetPath(client.parts, gone.storePath);
    expect(await client.hasFile(other)).toBe(false);
    expect((await countRecords(client.records))["b1"]).toBeUndefined();
  });

  test("is refused for what is pinned or referred to, unless that goes too", async () => {
    const { storePath } = await client.putPath(1, [1]);
    await client.putPath(2, [2], { references: [1] });
    await client.putPath(3, [3], { references: [2] });
    const inUse = { code: "IN_USE", message: expect.stringContaining("path-2") };
    await expect(forgetPath(client.parts, storePath)).rejects.toMatchObject(inUse);
    await new Pins(client.records).set("release", { type: "path", storePath: pathOf(3) });
    const all = { withReferrers: true };
    const pinned = { code: "IN_USE", message: expect.stringContaining("release") };
    await expect(forgetPath(client.parts, storePath, all)).rejects.toMatchObject(pinned);
    expect(await isThere(3)).toBe(true);
    await new Pins(client.records).remove("release");
    const forgotten = await forgetPath(client.parts, storePath, all);
    expect(forgotten?.paths.map(({ name }) => name).sort()).toEqual(["path-1", "path-2", "path-3"]);
    const { "~t1": _, ...left } = await countRecords(client.records);
    expect(left).toEqual({});
  });
});
