import { BYTES, MemoryRecordStore, Table, TEXT } from "@tvix/castore";
import { testRecordStore } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { testAnyWrites } from "./any-writes.ts";

const inMemory = async () => ({ records: new MemoryRecordStore() });
testRecordStore("memory", inMemory);
testAnyWrites("memory", inMemory);

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
