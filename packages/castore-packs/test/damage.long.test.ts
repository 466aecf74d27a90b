import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { openStore } from "@tvix/castore-packs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** Bytes of some twenty chunks. */
const BLOB = fixtures.pseudoRandomBytes(5_000_000, 7);
const DIGEST = B3Digest.of(BLOB);

async function filled(): Promise<string> {
  const path = await temporaryDirectory();
  await using store = await openStore(path, { sync: false, packBytes: 1 << 20 });
  await store.blobService.put(BLOB);
  return path;
}

async function packsOf(path: string): Promise<string[]> {
  return (await readdir(join(path, "packs"))).sort().map((name) => join(path, "packs", name));
}

async function readIn(path: string): Promise<Uint8Array | undefined> {
  await using store = await openStore(path, { sync: false });
  const stream = await store.blobService.read(DIGEST);
  return stream && (await collect(stream, 64 << 20));
}

async function putIn(path: string): Promise<void> {
  await using store = await openStore(path, { sync: false });
  await store.blobService.put(BLOB);
}

const DAMAGE: readonly (readonly [what: string, damage: (pack: string) => Promise<void>])[] = [
  ["a pack is removed", (pack) => rm(pack)],
  ["a pack is cut short", async (pack) => await writeFile(pack, (await readFile(pack)).subarray(0, 100_000))],
  [
    "every record of a pack is changed",
    async (pack) => {
      const bytes = await readFile(pack);
      for (let at = bytes.indexOf("CHNK"); at >= 0; at = bytes.indexOf("CHNK", at + 4)) {
        bytes[at + 60] = (bytes[at + 60] as number) ^ 1;
      }
      await writeFile(pack, bytes);
    },
  ],
];

describe.each(DAMAGE)("when %s", (_, damage) => {
  test("reading fails, also in a later process, and one put makes it whole", async () => {
    const path = await filled();
    await damage((await packsOf(path)).at(-1) as string);
    await expect(readIn(path)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(readIn(path)).rejects.toMatchObject({ code: "CORRUPT" });
    await putIn(path);
    expect(await readIn(path)).toEqual(BLOB);
  });

  test("a store that is open notices, and one put makes it whole", async () => {
    const path = await filled();
    await using store = await openStore(path, { sync: false });
    const before = store.storedBlobs.version;
    const [first] = await packsOf(path);
    await damage(first as string);
    const reading = store.blobService
      .read(DIGEST)
      .then(async (stream) => stream && (await collect(stream, 1e9)));
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
    const damaged = store.storedBlobs.version;
    expect(damaged).not.toBe(before);
    await store.blobService.put(BLOB);
    expect(store.storedBlobs.version).not.toBe(damaged);
    const stream = await store.blobService.read(DIGEST);
    expect(stream && (await collect(stream, 1e9))).toEqual(BLOB);
  });
});

test("a lost pack is noticed by a put that finds its chunks in the index, though nobody has read them", async () => {
  const path = await filled();
  for (const pack of await packsOf(path)) await rm(pack);
  await putIn(path);
  expect(await readIn(path)).toEqual(BLOB);
});

test("a version of stored forms goes on through restarts, and is the same while nothing happens", async () => {
  const path = await filled();
  await rm((await packsOf(path))[0] as string);
  await expect(readIn(path)).rejects.toThrow();
  const versions: number[] = [];
  for (let time = 0; time < 2; time++) {
    await using store = await openStore(path, { sync: false });
    versions.push(store.storedBlobs.version);
  }
  expect(versions[0]).toBeGreaterThan(0);
  expect(versions[1]).toBe(versions[0]);
});
