import { randomBytes } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** Changes one byte in the middle of the only pack. */
async function damagePack(folder: string): Promise<void> {
  const [pack] = await readdir(join(folder, "packs"));
  const handle = await open(join(folder, "packs", pack as string), "r+");
  const { size } = await handle.stat();
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, size >> 1);
  byte.writeUInt8(byte.readUInt8() ^ 1);
  await handle.write(byte, 0, 1, size >> 1);
  await handle.close();
}

test("a chunk that is written anew after it was described is found where it is now", async () => {
  const folder = await temporaryDirectory();
  await using store = await openStore(folder);
  const { blobService, storedBlobs } = store;
  const contents = new Uint8Array(randomBytes(50_000));
  const digest = await blobService.put(contents);
  const [described] = await Array.fromAsync((await storedBlobs.storedChunks(digest)) ?? []);
  if (described === undefined) throw new Error("a blob without chunks");
  await damagePack(folder);
  await expect(storedBlobs.readStored(described)).rejects.toMatchObject({ code: "CORRUPT" });

  // From now on it counts as absent.
  await expect(storedBlobs.readManyStored([described], () => {})).rejects.toMatchObject({
    code: "INCOMPLETE",
  });
  await expect(storedBlobs.readMany([described])).rejects.toMatchObject({ code: "INCOMPLETE" });

  await blobService.put(contents);
  const again = storedBlobs.chunkAt(described.digest, described.record);
  const together = await storedBlobs.readManyStored([again], ([one]) => one && Buffer.from(one.payload));
  expect(together?.equals(contents)).toBe(true);
  expect(Buffer.from((await storedBlobs.readMany([again]))[0] ?? []).equals(contents)).toBe(true);
  const { encoding, payload } = await storedBlobs.readStored(described);
  expect([encoding, Buffer.from(payload).equals(contents)]).toEqual(["raw", true]);
  expect(await blobService.has(digest)).toBe(true);
  const blob = await blobService.read(digest);
  expect(Buffer.from(await collect(blob ?? [], 1 << 20)).equals(contents)).toBe(true);
});

test("many chunks are read as they are one by one, in any order, twice over, in records and in packs", async () => {
  await using store = await openStore(await temporaryDirectory(), { sync: false });
  const { blobService, storedBlobs } = store;
  const contents = [
    ...Array.from({ length: 300 }, (_, index) => new Uint8Array(randomBytes(3 * index + 1))),
    ...Array.from({ length: 100 }, (_, index) => new Uint8Array(Buffer.from(`${index} `.repeat(3000)))),
    new Uint8Array(randomBytes(3 << 20)),
  ];
  const chunks = [];
  for (const bytes of contents) {
    const digest = await blobService.put(bytes);
    for await (const chunk of (await storedBlobs.storedChunks(digest)) ?? []) chunks.push(chunk);
  }
  const asked = [...chunks.toReversed(), ...chunks];
  const stored = await storedBlobs.readManyStored(asked, (all) =>
    all.map(({ payload }) => Buffer.from(payload)),
  );
  const decoded = await storedBlobs.readMany(asked);
  // Memory is used again: what was read before is not touched by that.
  await storedBlobs.readMany(chunks.slice(0, 10));
  const whole = new Uint8Array(asked.reduce((sum, { size }) => sum + size, 0));
  let end = 0;
  const places = asked.map(({ size }) => {
    end += size;
    return whole.subarray(end - size, end);
  });
  await storedBlobs.readManyInto(asked, places);
  expect(Buffer.concat(decoded).equals(whole)).toBe(true);
  for (const [index, chunk] of asked.entries()) {
    expect(stored[index]?.equals((await storedBlobs.readStored(chunk)).payload)).toBe(true);
    expect(B3Digest.of(decoded[index] as Uint8Array).equals(chunk.digest)).toBe(true);
  }
});

test("a chunk is not written to a place of another length", async () => {
  await using store = await openStore(await temporaryDirectory(), { sync: false });
  const { blobService, storedBlobs } = store;
  for (const contents of [new Uint8Array(100_000), new Uint8Array(randomBytes(10)), new Uint8Array(5000)]) {
    const digest = await blobService.put(contents);
    const chunks = await Array.fromAsync((await storedBlobs.storedChunks(digest)) ?? []);
    for (const length of [contents.length - 1, contents.length + 1]) {
      const reading = storedBlobs.readManyInto(chunks, [new Uint8Array(length)]);
      await expect(reading).rejects.toMatchObject({ code: "CORRUPT" });
    }
    // Nothing is noted against the chunk for that.
    expect(await blobService.has(digest)).toBe(true);
  }
});
