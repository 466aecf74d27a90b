import { collect } from "@tvix/byte-stream";
import { expect, test } from "vitest";
import { ChunkedBlobService } from "../src/blob/chunked-blob-service.ts";
import { IndexedChunkStore } from "../src/chunks/indexed-chunk-store.ts";
import type { B3Digest } from "../src/digest/b3-digest.ts";
import { MemoryLedger } from "../src/memory-use/memory-ledger.ts";
import { RecordChunkListStore } from "../src/records/chunk-list-store.ts";
import { MemoryRecordStore } from "../src/records/memory-record-store.ts";

const KIB = 1024;

function storeWith(memory: MemoryLedger): ChunkedBlobService {
  const records = new MemoryRecordStore();
  const chunks = IndexedChunkStore.fresh({ records });
  return new ChunkedBlobService({ chunks, lists: new RecordChunkListStore(records), memory });
}

function bytesOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 131 + seed * 7 + (index >> 8) * seed) & 0xff);
}

async function opened(store: ChunkedBlobService, digest: B3Digest, signal?: AbortSignal) {
  const stream = await store.read(digest, { signal });
  if (stream === undefined) throw new Error("it is not there");
  return stream[Symbol.asyncIterator]();
}

test.each([
  ["of one chunk", 100 * KIB],
  ["of several chunks", 3 * KIB * KIB],
])(
  "a reader of a blob %s holds memory until it has done; the next one waits, and gets the same",
  async (_, length) => {
    const memory = new MemoryLedger(600 * KIB);
    const store = storeWith(memory);
    const whole = bytesOf(length, 1);
    const digest = await store.put(whole);
    const others = new AbortController();
    const readers = await Promise.all(Array.from({ length: 8 }, () => opened(store, digest, others.signal)));
    const firsts = readers.map((reader) => reader.next());
    await firsts[0];
    await expect.poll(() => memory.waiting).toBeGreaterThan(0);
    expect(memory.held).toBeGreaterThanOrEqual(Math.min(length, 512 * KIB));
    const waiting = await opened(store, digest);
    const all = collect({ [Symbol.asyncIterator]: () => waiting }, length);
    others.abort(new Error("they leave"));
    await Promise.allSettled(firsts);
    for (const reader of readers) await reader.return?.();
    expect(await all).toEqual(whole);
    expect([memory.held, memory.waiting]).toEqual([0, 0]);
  },
);

test("short blobs are read where there is no memory", async () => {
  const memory = new MemoryLedger(600 * KIB);
  const store = storeWith(memory);
  const short = bytesOf(16 * KIB, 2);
  const digest = await store.put(short);
  const held = await memory.hold(600 * KIB, "a test");
  const reader = await opened(store, digest);
  expect(await collect({ [Symbol.asyncIterator]: () => reader }, 16 * KIB)).toEqual(short);
  held.release();
});

test("a reader that finds no memory is refused as too busy", async () => {
  const memory = new MemoryLedger(600 * KIB, { waitMs: 20 });
  const store = storeWith(memory);
  const digest = await store.put(bytesOf(100 * KIB, 3));
  const held = await memory.hold(600 * KIB, "a test");
  const reader = await opened(store, digest);
  await expect(reader.next()).rejects.toMatchObject({ code: "TOO_BUSY" });
  held.release();
});
