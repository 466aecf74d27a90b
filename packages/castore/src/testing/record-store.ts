import { afterEach, describe, expect, test } from "vitest";
import type { RecordChange, RecordStore } from "../records/record-store.ts";

/** A store under test, and what to do with it afterwards. */
export interface RecordStoreFixture {
  readonly records: RecordStore;
  /** Frees what the store holds. */
  readonly close?: () => Promise<void>;
}

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);
const put = (key: string, value: string): RecordChange => ({
  type: "put",
  key: bytes(key),
  value: bytes(value),
});
const del = (key: string): RecordChange => ({ type: "del", key: bytes(key) });

/**
 * Registers, with vitest, the tests that every {@link RecordStore} passes.
 *
 * @param name of the store, for the report
 * @param setUp makes an empty store; called for each test
 */
export function testRecordStore(name: string, setUp: () => Promise<RecordStoreFixture>): void {
  describe(`RecordStore contract: ${name}`, () => {
    const open: RecordStoreFixture[] = [];

    const fresh = async (): Promise<RecordStore> => {
      const fixture = await setUp();
      open.push(fixture);
      return fixture.records;
    };
    afterEach(async () => {
      for (const fixture of open.splice(0)) await fixture.close?.();
    });

    const textOf = async (records: RecordStore, key: string) => {
      const value = await records.get(bytes(key));
      return value === undefined ? undefined : new TextDecoder().decode(value);
    };

    const keysOf = async (records: RecordStore, prefix: string, after?: string) => {
      const range = { prefix: bytes(prefix), after: after === undefined ? undefined : bytes(after) };
      const keys: string[] = [];
      for await (const [key] of records.entries(range)) keys.push(new TextDecoder().decode(key));
      return keys;
    };

    test("what was never written is not there", async () => {
      const records = await fresh();
      expect(await records.get(bytes("a1"))).toBeUndefined();
      expect(await records.has(bytes("a1"))).toBe(false);
      expect(await records.getMany([bytes("a1"), bytes("b1")])).toEqual([undefined, undefined]);
      expect(await keysOf(records, "a")).toEqual([]);
    });

    test("what was written is there, as plain bytes, until it is removed", async () => {
      const records = await fresh();
      expect(await records.write([put("a1", "one"), put("a2", ""), put("b1", "other")])).toBe(true);
      expect(await textOf(records, "a1")).toBe("one");
      expect(await records.get(bytes("a2"))).toEqual(new Uint8Array(0));
      expect((await records.get(bytes("a1")))?.constructor).toBe(Uint8Array);
      expect(await records.getMany([bytes("b1"), bytes("x"), bytes("a1"), bytes("b1")])).toEqual([
        bytes("other"),
        undefined,
        bytes("one"),
        bytes("other"),
      ]);
      expect(await records.getMany([])).toEqual([]);
      await records.write([put("a1", "two"), del("a2"), del("never")]);
      expect(await textOf(records, "a1")).toBe("two");
      expect(await records.has(bytes("a2"))).toBe(false);
    });

    test("the last of several changes of one key counts", async () => {
      const records = await fresh();
      await records.write([put("a", "1"), del("a"), put("a", "2"), put("b", "1"), del("b")]);
      expect([await textOf(records, "a"), await textOf(records, "b")]).toEqual(["2", undefined]);
    });

    test("a range has the keys with a prefix, in order, from any of them on", async () => {
      const records = await fresh();
      const change = { type: "put", value: bytes("") } as const;
      await records.write([
        { ...change, key: Uint8Array.of(0x61, 0xff, 0xff) },
        ...["b", "ab", "aa", "a", "ac", "aab"].map((key) => put(key, key)),
      ]);
      expect((await keysOf(records, "a")).slice(0, 5)).toEqual(["a", "aa", "aab", "ab", "ac"]);
      expect(await keysOf(records, "a")).toHaveLength(6);
      expect((await keysOf(records, "a", "aab")).slice(0, 2)).toEqual(["ab", "ac"]);
      expect(await keysOf(records, "aa", "aab")).toEqual([]);
    });

    test("a range begins with its prefix, whatever is known already; an empty prefix has all", async () => {
      const records = await fresh();
      await records.write(["a", "b1", "b2", "c"].map((key) => put(key, "")));
      expect(await keysOf(records, "b", "a")).toEqual(["b1", "b2"]);
      expect(await keysOf(records, "b", "b1")).toEqual(["b2"]);
      expect(await keysOf(records, "b", "b")).toEqual(["b1", "b2"]);
      expect(await keysOf(records, "b", "c")).toEqual([]);
      expect(await keysOf(records, "")).toEqual(["a", "b1", "b2", "c"]);
      expect(await keysOf(records, "", "b1")).toEqual(["b2", "c"]);
    });

    test("keys are ordered by their bytes, up to the last", async () => {
      const records = await fresh();
      const keys = [0x00, 0x7f, 0x80, 0xc3, 0xfe, 0xff].map((byte) => Uint8Array.of(0xff, byte));
      const value = bytes("");
      await records.write(keys.toReversed().map((key) => ({ type: "put", key, value })));
      const found: Uint8Array[] = [];
      for await (const [key] of records.entries({ prefix: Uint8Array.of(0xff) })) found.push(key);
      expect(found).toEqual(keys);
      const [, , , , , last] = keys;
      const behind: Uint8Array[] = [];
      for await (const [key] of records.entries({ prefix: last ?? value })) behind.push(key);
      expect(behind).toEqual([last]);
    });

    test("a range can be left, and ends with its signal", async () => {
      const records = await fresh();
      await records.write(Array.from({ length: 100 }, (_, index) => put(`a${index}`, "")));
      for await (const _ of records.entries({ prefix: bytes("a") })) break;
      const leaving = new AbortController();
      const reading = async () => {
        let count = 0;
        for await (const _ of records.entries({ prefix: bytes("a") }, { signal: leaving.signal })) {
          if (++count === 3) leaving.abort(new Error("enough"));
        }
      };
      await expect(reading()).rejects.toThrow("enough");
      const nothing = { prefix: bytes("nothing") };
      const late = Array.fromAsync(records.entries(nothing, { signal: leaving.signal }));
      await expect(late).rejects.toThrow("enough");
    });

    test("a write is done when its conditions hold, else nothing of it", async () => {
      const records = await fresh();
      const absent = { key: bytes("a"), value: undefined };
      expect(await records.write([put("a", "1")], [absent])).toBe(true);
      expect(await records.write([put("a", "2"), put("b", "2")], [absent])).toBe(false);
      expect([await textOf(records, "a"), await textOf(records, "b")]).toEqual(["1", undefined]);
      const isOne = { key: bytes("a"), value: bytes("1") };
      expect(await records.write([put("b", "3")], [isOne, { key: bytes("b"), value: undefined }])).toBe(true);
      expect(await records.write([del("a")], [isOne, { key: bytes("b"), value: bytes("4") }])).toBe(false);
      expect(await records.write([del("a")], [isOne])).toBe(true);
      expect([await textOf(records, "a"), await textOf(records, "b")]).toEqual([undefined, "3"]);
    });

    test("an empty value is a value, and a failed condition is nobody else's concern", async () => {
      const records = await fresh();
      await records.write([put("a", "")]);
      const absent = { key: bytes("a"), value: undefined };
      const results = await Promise.all([
        records.write([put("b", "1")]),
        records.write([put("c", "1")], [absent]),
        records.write([put("d", "1")], [{ key: bytes("a"), value: bytes("") }]),
      ]);
      expect(results).toEqual([true, false, true]);
      expect(await keysOf(records, "")).toEqual(["a", "b", "d"]);
    });

    test("of many who want to be the first, one is", async () => {
      const records = await fresh();
      const condition = { key: bytes("a"), value: undefined };
      const writes = Array.from({ length: 100 }, (_, index) =>
        records.write([put("a", `${index}`)], [condition]),
      );
      const done = await Promise.all(writes);
      expect(done.filter(Boolean)).toHaveLength(1);
      expect(await textOf(records, "a")).toBe(`${done.indexOf(true)}`);
    });

    test("after it is closed every method fails with CLOSED, and what was being written is done", async () => {
      const records = await fresh();
      const writing = records.write([put("a", "1")]);
      await records.close();
      await records.close();
      expect(await writing).toBe(true);
      const closed = { code: "CLOSED" };
      await expect(records.get(bytes("a"))).rejects.toMatchObject(closed);
      await expect(records.getMany([bytes("a")])).rejects.toMatchObject(closed);
      await expect(records.has(bytes("a"))).rejects.toMatchObject(closed);
      await expect(records.write([put("b", "1")])).rejects.toMatchObject(closed);
      await expect(keysOf(records, "a")).rejects.toMatchObject(closed);
    });

    test("a counter that many raise by conditions loses nothing", async () => {
      const records = await fresh();
      const raise = async () => {
        for (;;) {
          const known = await records.get(bytes("n"));
          const next = Number(new TextDecoder().decode(known ?? bytes("0"))) + 1;
          if (await records.write([put("n", `${next}`)], [{ key: bytes("n"), value: known }])) return;
        }
      };
      await Promise.all(Array.from({ length: 30 }, raise));
      expect(await textOf(records, "n")).toBe("30");
    });
  });
}
