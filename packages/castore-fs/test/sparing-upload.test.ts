import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  chunkExchangeOf,
  type ExchangingBlobService,
  MemoryBlobService,
  MemoryDirectoryService,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { ingest } from "@tvix/castore-fs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

const { pseudoRandomBytes } = fixtures;

/** A service of another machine, and what it was asked and sent. */
function distant({ canBeAsked = true } = {}) {
  const inner = new MemoryBlobService();
  const calls = { asked: 0, sent: 0 };
  const lost = new Set<string>();
  const blobService: ExchangingBlobService = {
    has: async (digest, options) => {
      calls.asked++;
      return !lost.has(digest.key) && (await inner.has(digest, options));
    },
    chunks: (...parameters) => inner.chunks(...parameters),
    read: (...parameters) => inner.read(...parameters),
    put: async (source, options) => {
      calls.sent++;
      const digest = await inner.put(source, options);
      for (const { digest: chunk } of (await inner.chunks(digest)) ?? []) lost.delete(chunk.key);
      return digest;
    },
    chunkExchange: {
      ...chunkExchangeOf(inner),
      findMissing: async (digests) => (canBeAsked ? digests.filter(({ key }) => lost.has(key)) : undefined),
    },
  };
  const services = {
    blobService: blobService as BlobService,
    directoryService: new MemoryDirectoryService(),
  };
  const counted = async (root: string) => {
    Object.assign(calls, { asked: 0, sent: 0 });
    return { node: await ingest(root, services), ...calls };
  };
  return { inner, lost, counted };
}

/** 20 short files, none of which is empty, and one of several chunks. */
async function someTree(): Promise<string> {
  const root = join(await temporaryDirectory(), "tree");
  await mkdir(root);
  await Promise.all(
    Array.from({ length: 20 }, (_, index) => writeFile(join(root, `${index}`), `contents of ${index}`)),
  );
  await writeFile(join(root, "long"), pseudoRandomBytes(3_000_000, 1));
  await writeFile(join(root, "longer"), pseudoRandomBytes(2_000_000, 2));
  await writeFile(join(root, "empty"), "");
  return root;
}

test("what a service on another machine has is not sent to it again", async () => {
  const root = await someTree();
  const { counted, inner } = distant();
  const first = await counted(root);
  expect(first.sent).toBe(23);
  const again = await counted(root);
  expect(again.sent).toBe(1);
  expect(again.node).toEqual(first.node);
  await writeFile(join(root, "7"), "something else");
  const changed = Buffer.from(pseudoRandomBytes(3_000_000, 1));
  changed[2_999_999] = (changed[2_999_999] as number) ^ 1;
  await writeFile(join(root, "long"), changed);
  expect((await counted(root)).sent).toBe(3);
  const stored = await inner.read(B3Digest.of(changed));
  expect(await collect(stored ?? [], 3_000_000)).toEqual(new Uint8Array(changed));
});

test("a long file of which one chunk is lost is sent again", async () => {
  const root = await someTree();
  const { counted, inner, lost } = distant();
  await counted(root);
  const chunks = (await inner.chunks(B3Digest.of(pseudoRandomBytes(3_000_000, 1)))) ?? [];
  expect(chunks.length).toBeGreaterThan(5);
  lost.add(chunks[4]?.digest.key as string);
  expect((await counted(root)).sent).toBe(2);
  expect((await counted(root)).sent).toBe(1);
});

test("one that cannot be asked for many at once is not asked at all", async () => {
  const { counted } = distant({ canBeAsked: false });
  const root = await someTree();
  expect(await counted(root)).toMatchObject({ asked: 0, sent: 23 });
  expect(await counted(root)).toMatchObject({ asked: 0, sent: 23 });
});

test("where nothing of a tree is there, little of it is asked for", async () => {
  const root = join(await temporaryDirectory(), "tree");
  await mkdir(root);
  for (let index = 0; index < 3000; index++) await writeFile(join(root, `${index}`), `contents of ${index}`);
  const { counted } = distant();
  const first = await counted(root);
  expect(first.sent).toBe(3000);
  expect(first.asked).toBeLessThan(1000);
  expect(await counted(root)).toMatchObject({ asked: 3000, sent: 0 });
});
