import { cp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest, type BlobService } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { openLevelStore } from "@tvix/castore-level";
import { openStore } from "@tvix/castore-packs";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

async function readAll(blobs: BlobService, digest: B3Digest): Promise<Uint8Array | undefined> {
  const stream = await blobs.read(digest);
  return stream === undefined ? undefined : await collect(stream, 64 << 20);
}

async function packFiles(path: string): Promise<string[]> {
  return (await readdir(join(path, "packs"))).sort().map((name) => join(path, "packs", name));
}

async function packBytes(path: string): Promise<number> {
  let sum = 0;
  for (const file of await packFiles(path)) sum += (await stat(file)).size;
  return sum;
}

test("a store that was closed in good order goes on in the same pack", async () => {
  const path = await temporaryDirectory();
  for (let seed = 1; seed <= 3; seed++) {
    await using store = await openStore(path);
    await store.blobService.put(fixtures.pseudoRandomBytes(50_000, seed));
  }
  expect(await packFiles(path)).toHaveLength(1);
});

test("a second put of the same blob stores nothing new", async () => {
  const path = await temporaryDirectory();
  await using store = await openStore(path);
  const blob = fixtures.pseudoRandomBytes(2_000_000);
  await store.blobService.put(blob);
  const before = await packBytes(path);
  await store.blobService.put(blob);
  expect(await packBytes(path)).toBe(before);
});

test("chunks that compress are stored as zstd frames, others raw", async () => {
  const path = await temporaryDirectory();
  await using store = await openStore(path);
  await store.blobService.put(new Uint8Array(10_000_000));
  expect(await packBytes(path)).toBeLessThan(10_000);
  await store.blobService.put(fixtures.pseudoRandomBytes(1_000_000));
  expect(await packBytes(path)).toBeGreaterThan(1_000_000);
});

test("a store that is open already is refused with a clear error", async () => {
  const path = await temporaryDirectory();
  await using _store = await openStore(path);
  await expect(openStore(path)).rejects.toMatchObject({
    code: "LOCKED",
    message: `${path} is in use by another process, or has been opened in this one`,
  });
});

test("a store of a newer format is refused", async () => {
  const path = await temporaryDirectory();
  await (await openStore(path)).close();
  const level = new ClassicLevel(join(path, "index"));
  await level.put("m1format", "3");
  await level.close();
  await expect(openStore(path)).rejects.toMatchObject({ code: "UNKNOWN_FORMAT" });
});

test("a folder that cannot be made is a clear error", async () => {
  const path = join(await temporaryDirectory(), "file");
  await writeFile(path, "");
  await expect(openStore(path)).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
});

test("no bit of a pack can be flipped without being noticed, and a put mends it", async () => {
  const path = await temporaryDirectory();
  const blobs = [2000, 40_000, 700_000].map((length) => fixtures.pseudoRandomBytes(length, length));
  const compressible = new TextEncoder().encode("all work and no play ".repeat(5000));
  {
    await using store = await openStore(path);
    for (const blob of [...blobs, compressible]) await store.blobService.put(blob);
  }
  const [pack = ""] = await packFiles(path);
  const intact = await readFile(pack);
  let noticed = 0;
  for (let index = 0; index < 40; index++) {
    const copy = `${path}/copy-${index}`;
    await cp(join(path, "index"), join(copy, "index"), { recursive: true });
    const damaged = Buffer.from(intact);
    const at = Math.floor((index / 40) * damaged.length) + 13;
    damaged[at] = (damaged[at] as number) ^ (1 << (index % 8));
    await cp(join(path, "packs"), join(copy, "packs"), { recursive: true });
    await writeFile(join(copy, "packs", basename(pack)), damaged);
    await using store = await openStore(copy);
    for (const blob of [...blobs, compressible]) {
      const digest = B3Digest.of(blob);
      const found = await readAll(store.blobService, digest).catch((error: unknown) => error);
      if (found instanceof Uint8Array) {
        expect(B3Digest.of(found).toHex()).toBe(digest.toHex());
      } else {
        expect(found).toMatchObject({ code: "CORRUPT" });
        noticed++;
        await store.blobService.put(blob);
        expect(await readAll(store.blobService, digest)).toEqual(blob);
      }
    }
  }
  // Nearly all of a pack is payload.
  expect(noticed).toBeGreaterThan(30);
});

test("a pack that ends early loses what was behind its end, and nothing else", async () => {
  const path = await temporaryDirectory();
  const first = fixtures.pseudoRandomBytes(30_000, 1);
  const second = fixtures.pseudoRandomBytes(30_000, 2);
  {
    await using store = await openStore(path);
    await store.blobService.put(first);
    await store.blobService.put(second);
  }
  const [pack = ""] = await packFiles(path);
  await truncate(pack, 40_000);
  await using store = await openStore(path);
  expect(await readAll(store.blobService, B3Digest.of(first))).toEqual(first);
  await expect(readAll(store.blobService, B3Digest.of(second))).rejects.toMatchObject({ code: "CORRUPT" });
  await store.blobService.put(second);
  expect(await readAll(store.blobService, B3Digest.of(second))).toEqual(second);
});

test("the index is made again from the packs alone", async () => {
  const path = await temporaryDirectory();
  const blobs = Array.from({ length: 50 }, (_, index) => fixtures.pseudoRandomBytes(4000 + index, index + 1));
  {
    await using store = await openStore(path, { packBytes: 50_000 });
    for (const blob of blobs) await store.blobService.put(blob);
  }
  expect((await packFiles(path)).length).toBeGreaterThan(2);
  await rm(join(path, "index"), { recursive: true });
  await using store = await openStore(path);
  for (const blob of blobs) expect(await readAll(store.blobService, B3Digest.of(blob))).toEqual(blob);
});

test("the record of a blob cannot be damaged without being noticed, and a put mends it", async () => {
  const path = await temporaryDirectory();
  const blob = fixtures.pseudoRandomBytes(2_000_000);
  const digest = B3Digest.of(blob);
  {
    await using store = await openStore(path);
    await store.blobService.put(blob);
  }
  const level = new ClassicLevel<Buffer, Buffer>(join(path, "index"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  const key = Buffer.concat([Buffer.from("b1"), digest.bytes]);
  const record = (await level.get(key)) as Buffer;
  // Two chunks change places: each is intact, the blob is not.
  const list = record.length - 8 - 4 * 36;
  const swapped = Buffer.from(record);
  record.copy(swapped, list, list + 36, list + 72);
  record.copy(swapped, list + 36, list, list + 36);
  await level.put(key, swapped);
  await level.close();
  await using store = await openStore(path);
  await expect(readAll(store.blobService, digest)).rejects.toMatchObject({ code: "CORRUPT" });
  await store.blobService.put(blob);
  expect(await readAll(store.blobService, digest)).toEqual(blob);
});

test("a blob of many chunks has its list in parts", async () => {
  const path = await temporaryDirectory();
  const chunkSizes = { min: 64, avg: 256, max: 1024 };
  const blob = fixtures.pseudoRandomBytes(1_000_000);
  const digest = B3Digest.of(blob);
  {
    await using store = await openStore(path, { chunkSizes });
    await store.blobService.put(blob);
    expect((await store.blobService.chunks(digest))?.length).toBeGreaterThan(3000);
  }
  await using store = await openStore(path);
  expect(await readAll(store.blobService, digest)).toEqual(blob);
  const part = await store.blobService.read(digest, { offset: 654_321, length: 1000 });
  expect(part && (await collect(part, 2000))).toEqual(blob.slice(654_321, 655_321));
});

test("what an upload left behind that did not end is removed when its lease has expired", async () => {
  const path = await temporaryDirectory();
  const count = async () => {
    const level = new ClassicLevel(join(path, "index"));
    const keys = await level.keys({ gte: "l", lt: "v" }).all();
    await level.close();
    return keys.filter((key) => /^(l1|s1|u2)/.test(key)).length;
  };
  const store = await openStore(path, { chunkSizes: { min: 64, avg: 256, max: 1024 } });
  const stuck = Promise.withResolvers<never>();
  const stored = Promise.withResolvers<void>();
  async function* source() {
    yield fixtures.pseudoRandomBytes(1_000_000);
    stored.resolve();
    yield await stuck.promise;
  }
  const put = store.blobService.put(source());
  put.catch(() => {});
  await stored.promise;
  // As after a crash: the database is closed in the middle of the upload.
  await store.close();
  expect(await count()).toBeGreaterThan(0);
  stuck.reject(new Error("the client is gone"));
  await expect(put).rejects.toThrow();
  await (await openStore(path)).close();
  expect(await count()).toBeGreaterThan(0);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_001 });
  onTestFinished(() => void vi.useRealTimers());
  await (await openStore(path)).close();
  expect(await count()).toBe(0);
});

test("after a write to the index has failed nothing more is acknowledged", async () => {
  const level = new MemoryLevel();
  const batch = level.batch.bind(level);
  let failures = 0;
  Object.assign(level, {
    batch: async (operations: never, options: never) => {
      if (failures-- > 0) throw new Error("IO error: No space left on device");
      await batch(operations, options);
    },
  });
  const { blobService, directoryService } = await openLevelStore(level);
  const before = await blobService.put(Uint8Array.of(1));
  failures = 1;
  const full = expect.objectContaining({ code: "NO_SPACE" });
  await expect(blobService.put(Uint8Array.of(2))).rejects.toEqual(full);
  await expect(blobService.put(Uint8Array.of(3))).rejects.toEqual(full);
  await expect(directoryService.put(fixtures.DIRECTORY_WITH_KEEP)).rejects.toEqual(full);
  expect(await blobService.has(before)).toBe(true);
  const reopened = await openLevelStore(level);
  await reopened.blobService.put(Uint8Array.of(3));
});
