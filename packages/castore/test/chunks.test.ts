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
import { DAMAGED_CHUNKS } from "../src/records/tables.ts";

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

test("an index of extents that are not there says so, and takes nothing for damaged", async () => {
  const records = new MemoryRecordStore();
  const bytes = fixtures.pseudoRandomBytes(5000);
  const digest = B3Digest.of(bytes);
  await (await IndexedChunkStore.open({ records, extents: new MemoryExtents() })).write(digest, bytes);
  const without = await IndexedChunkStore.open({ records });
  // Whoever believed that the chunk is damaged would remove it in the end.
  const failure = { code: "STORAGE_FAILURE", message: expect.stringContaining("opened without") };
  await expect(without.read(digest)).rejects.toMatchObject(failure);
  await expect(without.has(digest)).rejects.toMatchObject(failure);
  await expect(without.inspect(digest, false)).rejects.toMatchObject(failure);
  expect(await DAMAGED_CHUNKS.count(records)).toBe(0);
});
