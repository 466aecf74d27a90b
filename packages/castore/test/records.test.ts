import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BYTES, MemoryRecordStore, Table, TEXT } from "@tvix/castore";
import { Database } from "@tvix/castore/level";
import { type RecordStoreFixture, testRecordStore } from "@tvix/castore/testing";
import { ClassicLevel } from "classic-level";
import fc from "fast-check";
import { MemoryLevel } from "memory-level";
import { expect, test } from "vitest";

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
  memory: async () => ({ records: new MemoryRecordStore() }),
  "memory-level": async () => ({ records: new Database(new MemoryLevel()) }),
  LevelDB: levelDb,
};

for (const [name, setUp] of Object.entries(STORES)) testRecordStore(name, setUp);

const bytes = (text: string) => new TextEncoder().encode(text);

test.each(Object.entries(STORES))("any writes to %s leave what a map would have", async (_, setUp) => {
  const key = fc.stringMatching(/^[ab]{1,3}$/);
  const change = fc.oneof(
    fc.record({ type: fc.constant("put" as const), key, value: fc.string({ maxLength: 4 }) }),
    fc.record({ type: fc.constant("del" as const), key }),
  );
  const writes = fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(writes, async (all) => {
      const { records, close } = await setUp();
      const expected = new Map<string, string>();
      for (const changes of all) {
        await records.write(
          changes.map((one) =>
            one.type === "put"
              ? { type: "put", key: bytes(one.key), value: bytes(one.value) }
              : { type: "del", key: bytes(one.key) },
          ),
        );
        for (const one of changes) {
          if (one.type === "put") expected.set(one.key, one.value);
          else expected.delete(one.key);
        }
      }
      const found: [string, string][] = [];
      for (const prefix of ["a", "b"]) {
        for await (const [stored, value] of records.entries({ prefix: bytes(prefix) })) {
          found.push([new TextDecoder().decode(stored), new TextDecoder().decode(value)]);
        }
      }
      await close?.();
      expect(found).toEqual([...expected].sort(([one], [other]) => (one < other ? -1 : 1)));
    }),
    { numRuns: 25 },
  );
});

const names = new Table({
  prefix: "t1",
  subject: (key: string) => `the name ${key}`,
  key: TEXT,
  value: TEXT,
  sealed: true,
});

test("a table keeps what it was given, and tells what was damaged", async () => {
  const store = new MemoryRecordStore();
  await store.write([names.put("one", "eins"), names.put("two", "zwei"), names.put("other", "")]);
  expect(await names.get(store, "one")).toBe("eins");
  expect(await names.has(store, "three")).toBe(false);
  await store.write([names.remove("two")]);
  const entries = await Array.fromAsync(names.entries(store), (entry) => [entry.key(), entry.value()]);
  expect(entries).toEqual([
    ["one", "eins"],
    ["other", ""],
  ]);
  const within = names.entries(store, new TextEncoder().encode("oth"));
  expect(await Array.fromAsync(within, ({ key }) => key())).toEqual(["other"]);

  const key = names.keyOf("one");
  const value = (await store.get(key))?.slice() ?? new Uint8Array(0);
  value[0] = 0x45;
  await store.write([{ type: "put", key, value }]);
  await expect(names.get(store, "one")).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("the name one"),
  });
  expect(await names.find(store, "one")).toBeUndefined();
  const [damaged] = await Array.fromAsync(names.entries(store));
  expect(() => damaged?.value()).toThrow("the name one");
});

test("a value that was moved to another key is damaged, where values are sealed", async () => {
  const store = new MemoryRecordStore();
  await store.write([names.put("one", "eins")]);
  const value = (await store.get(names.keyOf("one"))) ?? new Uint8Array(0);
  await store.write([{ type: "put", key: names.keyOf("two"), value }]);
  await expect(names.get(store, "two")).rejects.toMatchObject({ code: "CORRUPT" });
});

test("a table whose prefix has a tilde is derived", () => {
  const subject = () => "it";
  const tables = ["~n1", "n1"].map(
    (prefix) => new Table({ prefix, subject, key: BYTES, value: BYTES, sealed: false }),
  );
  expect(tables.map(({ derived }) => derived)).toEqual([true, false]);
});

test("a condition that cannot be looked at concerns nobody else's write", async () => {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: "view", valueEncoding: "view" });
  const records = new Database(level);
  const refuse = () => {
    throw new Error("this key cannot be read");
  };
  Object.assign(level, { get: refuse, getSync: refuse });
  const [plain, conditional] = await Promise.allSettled([
    records.write([names.put("one", "eins")]),
    records.write([names.put("two", "zwei")], [{ key: bytes("x"), value: undefined }]),
  ]);
  expect(plain).toEqual({ status: "fulfilled", value: true });
  expect(conditional).toMatchObject({ status: "rejected", reason: { code: "STORAGE_FAILURE" } });
});
