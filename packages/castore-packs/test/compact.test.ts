import { existsSync } from "node:fs";
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { collectGarbage } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { openStore, type Store } from "@tvix/castore-packs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

const MIB = 1 << 20;
const BLOBS = Array.from({ length: 30 }, (_, seed) => fixtures.pseudoRandomBytes(2 * MIB, seed));
const blob = (seed: number) => BLOBS[seed] as Uint8Array;

const open = (path: string) => openStore(path, { sync: false, packBytes: 3 * MIB });

/** Stores blobs one after the other, and collects all but some. */
async function withGarbage(store: Store, kept: readonly number[], all: number): Promise<void> {
  for (let seed = 0; seed < all; seed++) await store.blobService.put(blob(seed));
  await collectAllBut(store, kept);
}

async function collectAllBut(store: Store, kept: readonly number[]) {
  return await collectGarbage(
    {
      records: store.database,
      openScratch: () => store.openScratch(),
      markRoots: (marker) => marker.blobs(kept.map((seed) => B3Digest.of(blob(seed)))),
    },
    { graceMs: 0 },
  );
}

async function packBytes(path: string): Promise<number> {
  const names = await readdir(join(path, "packs"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, "packs", name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function isReadable(store: Store, seed: number): Promise<boolean> {
  const stream = await store.blobService.read(B3Digest.of(blob(seed)));
  return stream !== undefined && Buffer.compare(await collect(stream, 4 * MIB), blob(seed)) === 0;
}

test("gives back the room of what was collected, and everything else can be read", async () => {
  const path = await temporaryDirectory();
  const kept = [1, 5, 8];
  {
    await using store = await open(path);
    await withGarbage(store, kept, 10);
    expect(await packBytes(path)).toBeGreaterThan(19 * MIB);
    const { retired, freedBytes, damaged } = await store.compact();
    expect(retired).toBeGreaterThan(3);
    expect(damaged).toBe(0);
    expect(freedBytes).toBeGreaterThan(10 * MIB);
    expect(await packBytes(path)).toBeLessThan(9 * MIB);
    for (const seed of kept) expect(await isReadable(store, seed)).toBe(true);
    expect(await store.compact()).toEqual({ retired: 0, freedBytes: 0, damaged: 0 });
    expect(await isReadable(store, 0)).toBe(false);
    await store.blobService.put(blob(0));
  }
  await using store = await open(path);
  for (const seed of [0, ...kept]) expect(await isReadable(store, seed)).toBe(true);
  expect((await readdir(path)).sort()).toEqual(["index", "journal", "packs"]);
});

test("readers and writers go on meanwhile", async () => {
  await using store = await open(await temporaryDirectory());
  const kept = [0, 3, 6, 9];
  await withGarbage(store, kept, 10);
  let isDone = false;
  const reading = Promise.all(
    kept.map(async (seed) => {
      let times = 0;
      while (!isDone || times < 3) {
        expect(await isReadable(store, seed)).toBe(true);
        times++;
        // What is in memory is read without waiting for anything.
        await setImmediate();
      }
    }),
  );
  const writing = (async () => {
    for (let seed = 20; seed < 26; seed++) await store.blobService.put(blob(seed));
  })();
  for (let times = 0; times < 5; times++) {
    await store.compact({ liveRatio: 1 });
    await collectAllBut(store, [...kept, 20, 21, 22, 23, 24, 25]);
  }
  isDone = true;
  await Promise.all([reading, writing]);
  for (const seed of [20, 21, 22, 23, 24, 25]) await store.blobService.put(blob(seed));
  for (const seed of [...kept, 20, 25]) expect(await isReadable(store, seed)).toBe(true);
});

test("several at once move everything", async () => {
  await using store = await open(await temporaryDirectory());
  await withGarbage(store, [0, 3, 6, 9], 10);
  const compactions = Promise.all(Array.from({ length: 4 }, () => store.compact({ liveRatio: 1 })));
  for (let seed = 20; seed < 24; seed++) await store.blobService.put(blob(seed));
  expect((await compactions).every(({ damaged }) => damaged === 0)).toBe(true);
  for (const seed of [0, 3, 6, 9, 20, 21, 22, 23]) expect(await isReadable(store, seed)).toBe(true);
});

test("packs in which wanted chunks are damaged stay until these are stored again", async () => {
  const path = await temporaryDirectory();
  {
    await using store = await open(path);
    await withGarbage(store, [1, 5], 8);
  }
  const packs = (await readdir(join(path, "packs"))).map((name) => join(path, "packs", name));
  for (const pack of packs) {
    const bytes = await readFile(pack);
    // Every other chunk.
    for (let at = 100; at < bytes.length; at += 600_000) bytes[at] = (bytes[at] as number) ^ 1;
    await writeFile(pack, bytes);
  }
  await using store = await open(path);
  const report = await store.compact({ liveRatio: 1 });
  expect(report.damaged).toBeGreaterThan(0);
  for (const seed of [1, 5]) await store.blobService.put(blob(seed));
  expect(await store.compact({ liveRatio: 1 })).toMatchObject({ damaged: 0 });
  for (const pack of packs) expect(existsSync(pack)).toBe(false);
  for (const seed of [1, 5]) expect(await isReadable(store, seed)).toBe(true);
});

test("what a process has left behind that did not come to its end is removed", async () => {
  const path = await temporaryDirectory();
  {
    await using store = await open(path);
    await store.openScratch();
    await appendFile(join(path, "scratch-is-mine"), "");
  }
  await (await open(path)).close();
  expect((await readdir(path)).sort()).toEqual(["index", "journal", "packs", "scratch-is-mine"]);
});
