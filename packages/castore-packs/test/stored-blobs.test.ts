import { randomBytes } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
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

  await blobService.put(contents);
  const { encoding, payload } = await storedBlobs.readStored(described);
  expect([encoding, Buffer.from(payload).equals(contents)]).toEqual(["raw", true]);
  expect(await blobService.has(digest)).toBe(true);
  const blob = await blobService.read(digest);
  expect(Buffer.from(await collect(blob ?? [], 1 << 20)).equals(contents)).toBe(true);
});
