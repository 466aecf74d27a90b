import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryRecordStore } from "@tvix/castore";
import {
  type RecordStoreFixture,
  testBlobService,
  testDirectoryService,
  testLifeCycle,
  testRecordStore,
} from "@tvix/castore/testing";
import { Database, openLevelStore } from "@tvix/castore-level";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { expect, test } from "vitest";
import { testAnyWrites } from "../../castore/test/any-writes.ts";

async function levelDb(): Promise<RecordStoreFixture> {
  const path = await mkdtemp(join(tmpdir(), "records-"));
  const level = new ClassicLevel(path);
  const records = new Database(level, { sync: true });
  const close = async () => {
    await records.close();
    await level.close();
    await rm(path, { recursive: true });
  };
  return { records, close };
}

const STORES: Readonly<Record<string, () => Promise<RecordStoreFixture>>> = {
  "memory-level": async () => ({ records: new Database(new MemoryLevel()) }),
  LevelDB: levelDb,
};

for (const [name, setUp] of Object.entries(STORES)) {
  testRecordStore(name, setUp);
  testAnyWrites(name, setUp);
}
testBlobService("memory-level", async () => await openLevelStore(new MemoryLevel()));
testDirectoryService("memory-level", async () => await openLevelStore(new MemoryLevel()));

/** Everything in one LevelDB, bytes of chunks included. */
async function levelStore() {
  const path = await mkdtemp(join(tmpdir(), "records-"));
  const level = new ClassicLevel(path);
  const store = await openLevelStore(level, { sync: false });
  const close = async () => {
    await store.database.close();
    await level.close();
    await rm(path, { recursive: true });
  };
  return { ...store, close };
}

testBlobService("LevelDB alone", levelStore);
testDirectoryService("LevelDB alone", levelStore);

testLifeCycle("memory-level", async () => {
  const level = new MemoryLevel();
  const open = async () => {
    const store = await openLevelStore(level);
    return { ...store, close: () => store.database.close() };
  };
  return { open, remove: () => level.close() };
});

const bytes = (text: string) => new TextEncoder().encode(text);

test("a condition that cannot be looked at concerns nobody else's write", async () => {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: "view", valueEncoding: "view" });
  const records = new Database(level);
  const refuse = () => {
    throw new Error("this key cannot be read");
  };
  Object.assign(level, { get: refuse, getSync: refuse });
  const [plain, conditional] = await Promise.allSettled([
    records.write([{ type: "put", key: bytes("one"), value: bytes("eins") }]),
    records.write(
      [{ type: "put", key: bytes("two"), value: bytes("zwei") }],
      [{ key: bytes("x"), value: undefined }],
    ),
  ]);
  expect(plain).toEqual({ status: "fulfilled", value: true });
  expect(conditional).toMatchObject({ status: "rejected", reason: { code: "STORAGE_FAILURE" } });
});

test.each([
  ["in memory", () => new MemoryRecordStore()],
  ["Level", () => new Database(new MemoryLevel())],
])("keys, values and prefixes may be Buffers, whose memory is not touched: %s", async (_, make) => {
  const records = make();
  const [key, value, prefix] = [Buffer.from("b1key"), Buffer.from("value"), Buffer.from("b1")];
  await records.write([{ type: "put", key, value }]);
  expect(await records.get(key)).toEqual(Uint8Array.from(value));
  expect(await Array.fromAsync(records.entries({ prefix }))).toHaveLength(1);
  expect(await records.write([], [{ key, value }])).toBe(true);
  expect([key, value, prefix].join()).toBe("b1key,value,b1");
});
