import { B3Digest, MemoryRecordStore } from "@tvix/castore";
import {
  CHUNKS,
  IndexedChunkStore,
  MemoryExtents,
  rebuildChunkIndex,
  recentChunks,
  recentStoredForms,
} from "@tvix/castore/backend";
import { fixtures, testChunkStore, testExtents } from "@tvix/castore/testing";
import { expect, test } from "vitest";

/** Changes one bit of every chunk that records hold. */
async function damageRecords(records: MemoryRecordStore): Promise<void> {
  for await (const entry of CHUNKS.entries(records)) {
    const value = entry.value().slice();
    value[value.length - 1] = (value[value.length - 1] as number) ^ 1;
    await records.write([CHUNKS.put(entry.key(), value)]);
  }
}

testExtents("memory", async () => ({ extents: new MemoryExtents() }));

testChunkStore("records in memory", async () => {
  const records = new MemoryRecordStore();
  return {
    chunks: await IndexedChunkStore.open({ records }),
    damage: () => damageRecords(records),
    reopen: () => IndexedChunkStore.open({ records }),
  };
});

testChunkStore("records and extents in memory, with what was read last remembered", async () => {
  const records = new MemoryRecordStore();
  const extents = new MemoryExtents();
  const open = () =>
    IndexedChunkStore.open({
      records,
      extents,
      recent: recentChunks(4 << 20),
      recentStored: recentStoredForms(4 << 20),
    });
  return { chunks: await open(), reopen: open };
});

test("chunks of extents are found again when their index was lost", async () => {
  const extents = new MemoryExtents();
  const before = await IndexedChunkStore.open({ records: new MemoryRecordStore(), extents });
  const lengths = [2000, 300_000, 524_288];
  const all = lengths.map((length) => fixtures.pseudoRandomBytes(length, length));
  for (const bytes of all) await before.write(B3Digest.of(bytes), bytes);
  const records = new MemoryRecordStore();
  expect(await rebuildChunkIndex(extents, records)).toBe(3);
  const after = await IndexedChunkStore.open({ records, extents });
  for (const bytes of all) expect(await after.read(B3Digest.of(bytes))).toEqual(bytes);
});

test("an index of extents that are not there says so", async () => {
  const records = new MemoryRecordStore();
  const bytes = fixtures.pseudoRandomBytes(5000);
  const digest = B3Digest.of(bytes);
  await (await IndexedChunkStore.open({ records, extents: new MemoryExtents() })).write(digest, bytes);
  const without = await IndexedChunkStore.open({ records });
  await expect(without.read(digest)).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("of which this store has none"),
  });
  expect(await without.has(digest)).toBe(false);
});
