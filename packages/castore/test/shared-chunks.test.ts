import { B3Digest, MemoryRecordStore, type RecordStore } from "@tvix/castore";
import {
  CHUNKS,
  type ChunkCodec,
  FACTS,
  IndexedChunkStore,
  MemoryExtents,
  RAW_CODEC,
} from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { DAMAGED_CHUNKS } from "../src/records/tables.ts";

const bytes = fixtures.pseudoRandomBytes(5000);
const digest = B3Digest.of(bytes);

/** Records in which somebody else does something in front of the next write. */
function interrupted(records: MemoryRecordStore, meanwhile: () => Promise<void>): RecordStore {
  let isFirst = true;
  const { get, getMany, has, entries, close } = records;
  return {
    get: get.bind(records),
    getMany: getMany.bind(records),
    has: has.bind(records),
    entries: entries.bind(records),
    close: close.bind(records),
    async write(changes, conditions) {
      if (isFirst) {
        isFirst = false;
        await meanwhile();
      }
      return await records.write(changes, conditions);
    },
  };
}

async function twoProcesses() {
  const records = new MemoryRecordStore();
  const extents = new MemoryExtents();
  const open = (through: RecordStore = records, codec: ChunkCodec = RAW_CODEC) =>
    IndexedChunkStore.open({ records: through, extents, codec, shared: true });
  const one = await open();
  await one.write(digest, bytes);
  const record = (await records.get(CHUNKS.keyOf(digest))) as Uint8Array;
  return { records, extents, open, one, record };
}

test("what another process has stored anew is not removed by one who still knows it as damaged", async () => {
  const { one, open, record } = await twoProcesses();
  await one.noteDamage(digest, record);
  const other = await open();
  await one.write(digest, bytes);
  expect(await other.forgetDamaged(digest)).toBe(false);
  expect(await one.read(digest)).toEqual(bytes);
  expect(await other.has(digest)).toBe(true);
});

test("what another process stores anew while it is noted as damaged is not marked", async () => {
  const { records, one, open, record } = await twoProcesses();
  const other = await open(
    interrupted(records, async () => {
      await one.noteDamage(digest, record);
      await one.write(digest, bytes);
    }),
  );
  await other.noteDamage(digest, record);
  await one.refresh();
  await other.refresh();
  expect([await one.has(digest), await other.has(digest)]).toEqual([true, true]);
  expect(await DAMAGED_CHUNKS.count(records)).toBe(0);
});

test("what one process finds damaged another one hears of", async () => {
  const { one, open, record } = await twoProcesses();
  const other = await open();
  const { version } = other;
  await one.noteDamage(digest, record);
  await other.refresh();
  expect(other.version).not.toBe(version);
  expect(await other.has(digest)).toBe(false);
  await one.write(digest, bytes);
  await other.refresh();
  expect(await other.has(digest)).toBe(true);
});

test("of two who store a chunk at once the first one's stays", async () => {
  const records = new MemoryRecordStore();
  const extents = new MemoryExtents();
  const open = (through: RecordStore) => IndexedChunkStore.open({ records: through, extents, shared: true });
  const one = await open(records);
  let first: Uint8Array | undefined;
  const other = await open(
    interrupted(records, async () => {
      await one.write(digest, bytes);
      first = await records.get(CHUNKS.keyOf(digest));
    }),
  );
  await other.write(digest, bytes);
  expect(first).toBeDefined();
  expect(await records.get(CHUNKS.keyOf(digest))).toEqual(first);
  expect(await other.read(digest)).toEqual(bytes);
});

test("a place that is given up before its record is written is an error, and nothing is stored", async () => {
  const records = new MemoryRecordStore();
  const condition = { key: FACTS.keyOf("place"), value: Uint8Array.of(1) };
  const extents = Object.assign(new MemoryExtents(), { conditionsOf: async () => [condition] });
  const chunks = await IndexedChunkStore.open({ records, extents, shared: true });
  await expect(chunks.write(digest, bytes)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await chunks.has(digest)).toBe(false);
  await records.write([{ type: "put", key: condition.key, value: condition.value }]);
  await chunks.write(digest, bytes);
  expect(await chunks.has(digest)).toBe(true);
});
