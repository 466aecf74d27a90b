import type { RecordStore } from "@tvix/castore";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_POSTGRES, type PostgresServer, startPostgres } from "../../../test/engines/postgres.ts";
import { startProxy } from "../../../test/engines/proxy.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) =>
  value === undefined ? undefined : new TextDecoder().decode(value);

describe.skipIf(NO_POSTGRES !== undefined)("PostgreSQL that does not always answer", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => await server?.[Symbol.asyncDispose]());

  /** Raises a counter by one, with the means of somebody who shares it. @returns attempts that were refused */
  const raise = async (records: RecordStore, key: string) => {
    for (let refused = 0; ; refused++) {
      const value = await records.get(bytes(key));
      const next = bytes(`${Number(text(value) ?? 0) + 1}`);
      if (
        await records.write([{ type: "put", key: bytes(key), value: next }], [{ key: bytes(key), value }])
      ) {
        return refused;
      }
    }
  };

  test("two servers raise the same counters, and write what others look at: nothing is lost", async () => {
    const address = server.freshAddress();
    await using one = await PostgresRecordStore.open(address).then(disposable);
    await using other = await PostgresRecordStore.open(address).then(disposable);
    const raising = [one, other].flatMap((records) =>
      Array.from({ length: 40 }, (_, index) => raise(records, `n${index % 4}`)),
    );
    await Promise.all(raising);
    for (const key of ["n0", "n1", "n2", "n3"]) expect(text(await one.get(bytes(key)))).toBe("20");
  });

  test("of two who each want to be there without the other one, one is", async () => {
    const address = server.freshAddress();
    await using one = await PostgresRecordStore.open(address).then(disposable);
    await using other = await PostgresRecordStore.open(address).then(disposable);
    for (let round = 0; round < 50; round++) {
      const [left, right] = [bytes(`left-${round}`), bytes(`right-${round}`)];
      const done = await Promise.all([
        one.write([{ type: "put", key: left, value: left }], [{ key: right, value: undefined }]),
        other.write([{ type: "put", key: right, value: right }], [{ key: left, value: undefined }]),
      ]);
      expect(done.filter(Boolean)).toHaveLength(1);
    }
  });

  test("connections that are cut at any moment: each write is done once, and its answer is right", async () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    await using proxy = await startProxy(server.port, random);
    const address = server.freshAddress().replace(`:${server.port}`, `:${proxy.port}`);
    await using records = await PostgresRecordStore.open(address).then(disposable);
    proxy.cuts = 0.15;
    let refused = 0;
    // Nobody else raises these: what is refused was done before, and was not told.
    for (let round = 0; round < 40; round++) {
      const keys = Array.from({ length: 5 }, (_, index) => `n${index}`);
      for (const count of await Promise.all(keys.map((key) => raise(records, key)))) refused += count;
    }
    const connections = proxy.connections;
    proxy.cuts = 0;
    for (let index = 0; index < 5; index++) expect(text(await records.get(bytes(`n${index}`)))).toBe("40");
    expect(refused).toBe(0);
    expect(connections).toBeGreaterThan(10);
  });

  test("a database that is killed and begins again: calls wait, and nothing acknowledged is lost", async () => {
    await using records = await PostgresRecordStore.open(server.freshAddress()).then(disposable);
    const acknowledged: string[] = [];
    let isOver = false;
    const writing = Array.from({ length: 8 }, async (_, worker) => {
      for (let number = 0; !isOver; number++) {
        const key = `${worker}-${number}`;
        await records.write([{ type: "put", key: bytes(key), value: bytes(key) }]);
        acknowledged.push(key);
      }
    });
    for (let round = 0; round < 2; round++) {
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length).toBeGreaterThan(before + 50);
      await server.kill();
      await server.start();
    }
    const before = acknowledged.length;
    await expect.poll(() => acknowledged.length).toBeGreaterThan(before + 50);
    isOver = true;
    await Promise.all(writing);
    const found = await records.getMany(acknowledged.map(bytes));
    expect(found.map(text)).toEqual(acknowledged);
  });

  test("a default isolation that would break conditions is not taken", async () => {
    const address = server.freshAddress();
    await using one = await PostgresRecordStore.open(address).then(disposable);
    await server.query("ALTER ROLE tvix SET default_transaction_isolation = 'serializable'");
    try {
      await using other = await PostgresRecordStore.open(address).then(disposable);
      for (let round = 0; round < 30; round++) {
        const [left, right] = [bytes(`left-${round}`), bytes(`right-${round}`)];
        const done = await Promise.all([
          one.write([{ type: "put", key: left, value: left }], [{ key: right, value: undefined }]),
          other.write([{ type: "put", key: right, value: right }], [{ key: left, value: undefined }]),
        ]);
        expect(done.filter(Boolean)).toHaveLength(1);
      }
    } finally {
      await server.query("ALTER ROLE tvix RESET default_transaction_isolation");
    }
  });

  test("a database that stays away is UNAVAILABLE after a while, without a word of where it is", async () => {
    await using proxy = await startProxy(server.port);
    const address = server.freshAddress().replace(`:${server.port}`, `:${proxy.port}`);
    await using records = await PostgresRecordStore.open(address, { patienceMs: 300 }).then(disposable);
    proxy.cuts = 1;
    proxy.cutAll();
    const failing = records.get(bytes("a"));
    await expect(failing).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(failing).rejects.not.toThrow(/127|postgres/);
    const writing = records.write([{ type: "put", key: bytes("a"), value: bytes("1") }]);
    await expect(writing).rejects.toMatchObject({ code: "UNAVAILABLE" });
    proxy.cuts = 0;
    expect(await records.get(bytes("a"))).toBeUndefined();
  });

  test("several who open a new store at once make it once; a newer one is refused", async () => {
    const address = server.freshAddress();
    const opened = await Promise.all(Array.from({ length: 5 }, () => PostgresRecordStore.open(address)));
    await Promise.all(opened.map((records) => records.close()));
    const schema = new URL(address).searchParams.get("schema");
    await server.query(`UPDATE ${schema}.version SET version = 9, works_with = 1`);
    await (await PostgresRecordStore.open(address)).close();
    await server.query(`UPDATE ${schema}.version SET works_with = 9`);
    await expect(PostgresRecordStore.open(address)).rejects.toMatchObject({ code: "UNKNOWN_FORMAT" });
    const nowhere = PostgresRecordStore.open(server.freshAddress(), { create: false });
    await expect(nowhere).rejects.toMatchObject({ code: "NOT_A_STORE" });
  });

  test("look-ups and writes go by the index, in a table that has just been filled", async () => {
    const address = server.freshAddress();
    await using records = await PostgresRecordStore.open(address).then(disposable);
    const keys = Array.from({ length: 20_000 }, (_, index) => bytes(`key-${index}`));
    await records.write(keys.map((key) => ({ type: "put", key, value: key })));
    const schema = new URL(address).searchParams.get("schema");
    await Promise.all(keys.slice(0, 500).map((key) => records.get(key)));
    await records.write(
      [{ type: "del", key: bytes("key-1") }],
      [{ key: bytes("key-2"), value: bytes("key-2") }],
    );
    for await (const _ of records.entries({ prefix: bytes("key-1") })) break;
    // Counts of the database are passed on by those who end.
    await records.close();
    const counted = `SELECT seq_tup_read, idx_scan > 0 FROM pg_stat_user_tables WHERE schemaname = '${schema}' AND relname = 'records'`;
    await expect.poll(() => server.query(counted)).toBe("0|t");
  });
});

function disposable(records: PostgresRecordStore): PostgresRecordStore & AsyncDisposable {
  return Object.assign(records, { [Symbol.asyncDispose]: () => records.close() });
}
