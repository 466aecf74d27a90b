import { randomUUID } from "node:crypto";
import {
  CastoreError,
  type OperationOptions,
  type RecordChange,
  type RecordCondition,
  type RecordRange,
  type RecordStore,
} from "@tvix/castore";
import { type PostgresAddress, parsePostgresAddress } from "./address.ts";
import { Lookups } from "./lookups.ts";
import { migrate } from "./migrations.ts";
import { packWrites, type SharedWrite, textOf } from "./packed-writes.ts";
import { readPages } from "./pages.ts";
import { PatientPool, type PatientPoolOptions } from "./patient-pool.ts";
import { WriteQueue } from "./write-queue.ts";

/** How a {@link PostgresRecordStore} works. */
export interface PostgresOptions extends PatientPoolOptions {
  /** Whether tables are made where there are none. Default true. */
  readonly create?: boolean | undefined;
}

/** Groups of writes that are under way at the same time: one commits while the next is on its way. */
const WRITES_AT_ONCE = 2;

/** Queries of keys that are under way at the same time, of each of two kinds. */
const LOOKUPS_AT_ONCE = 2;

/** How often what is known of old writes is removed, and how old they are then, in milliseconds. */
const TIDY_MS = 600_000;
const ATTEMPTS_KEPT = "1 hour";

/**
 * Records in a table of PostgreSQL, which any number of servers share.
 *
 * A write is durable as `synchronous_commit` has it: on the disk of the database by default; with synchronous
 * replicas, on theirs as well. What fails with a connection is tried again; a write is done once, however often it
 * had to be sent.
 */
export class PostgresRecordStore implements RecordStore {
  readonly #pool: PatientPool;
  readonly #schema: string;
  readonly #values: Lookups<Uint8Array>;
  readonly #keys: Lookups<true>;
  readonly #writes: WriteQueue;
  readonly #tidying: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  private constructor(pool: PatientPool, schema: string) {
    this.#pool = pool;
    this.#schema = schema;
    this.#values = new Lookups((keys) => this.#findValues(keys), LOOKUPS_AT_ONCE);
    this.#keys = new Lookups((keys) => this.#findKeys(keys), LOOKUPS_AT_ONCE);
    this.#writes = new WriteQueue((group) => this.#write(group), WRITES_AT_ONCE);
    this.#tidying = setInterval(() => void this.#tidy().catch(() => {}), TIDY_MS).unref();
  }

  /**
   * Connects to a database, and makes the tables where there are none.
   *
   * @throws RangeError for an address that is none
   * @throws CastoreError NOT_A_STORE, UNKNOWN_FORMAT, UNAVAILABLE, STORAGE_FAILURE
   */
  static async open(
    address: PostgresAddress | string,
    options: PostgresOptions = {},
  ): Promise<PostgresRecordStore> {
    const parsed = typeof address === "string" ? parsePostgresAddress(address) : address;
    const pool = new PatientPool(parsed, options);
    try {
      await pool.withClient((client) => migrate(client, parsed.schema, options.create ?? true));
      return new PostgresRecordStore(pool, parsed.schema);
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.getMany([key]))[0];
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#checkOpen();
    return keys.length === 0 ? [] : await this.#values.find(keys);
  }

  async has(key: Uint8Array): Promise<boolean> {
    this.#checkOpen();
    return (await this.#keys.find([key]))[0] === true;
  }

  async write(
    changes: readonly RecordChange[],
    conditions: readonly RecordCondition[] = [],
  ): Promise<boolean> {
    this.#checkOpen();
    return changes.length + conditions.length === 0 || (await this.#writes.add(changes, conditions));
  }

  async *entries(
    range: RecordRange,
    { signal }: OperationOptions = {},
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    const query: Parameters<typeof readPages>[0] = async (...asked) => {
      signal?.throwIfAborted();
      this.#checkOpen();
      return await this.#pool.query(...asked);
    };
    for await (const entry of readPages(query, this.#schema, range)) {
      signal?.throwIfAborted();
      yield entry;
    }
  }

  /** Bytes that the tables take on the disk of the database, indexes included. */
  async size(): Promise<number> {
    this.#checkOpen();
    const text = "SELECT pg_total_relation_size($1::regclass)::float8 AS bytes";
    const rows = await this.#pool.query<{ bytes: number }>({ name: "size", text }, [
      `${this.#schema}.records`,
    ]);
    return rows[0]?.bytes ?? 0;
  }

  /** Why the database cannot be used at present; undefined while it can. Does not wait for it. */
  async check(): Promise<CastoreError | undefined> {
    this.#checkOpen();
    return await this.#pool.check();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#tidying);
    await this.#writes.idle();
    await Promise.all([this.#values.idle(), this.#keys.idle()]);
    await this.#pool.close();
  }

  async #findValues(keys: readonly Uint8Array[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const rows = await this.#pool.query<{ key: Buffer; value: Buffer }>(
      {
        name: "values",
        text: `SELECT key, value FROM ${this.#schema}.records WHERE key = ANY ($1::bytea[])`,
      },
      [keys],
    );
    return new Map(rows.map(({ key, value }) => [textOf(key), new Uint8Array(value)]));
  }

  async #findKeys(keys: readonly Uint8Array[]): Promise<ReadonlyMap<string, true>> {
    const rows = await this.#pool.query<{ key: Buffer }>(
      { name: "keys", text: `SELECT key FROM ${this.#schema}.records WHERE key = ANY ($1::bytea[])` },
      [keys],
    );
    return new Map(rows.map(({ key }) => [textOf(key), true]));
  }

  async #write(group: readonly SharedWrite[]): Promise<readonly boolean[]> {
    const places = Array.from({ length: 17 }, (_, index) => `$${index + 1}`).join(", ");
    const query = { name: "write", text: `SELECT ${this.#schema}.write_records(${places}) AS refused` };
    // Drawn once: whatever becomes of a connection, it is done once.
    const values = [randomUUID(), ...packWrites(group)];
    const rows = await this.#pool.query<{ refused: number[] }>(query, values);
    const refused = new Set(rows[0]?.refused);
    return group.map((_, index) => !refused.has(index));
  }

  /** Removes what is known of writes that nobody asks for any more. */
  async #tidy(): Promise<void> {
    const text = `DELETE FROM ${this.#schema}.attempts WHERE at < now() - $1::interval`;
    await this.#pool.query({ name: "tidy", text }, [ATTEMPTS_KEPT]);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new CastoreError("CLOSED", "the store is closed");
  }
}
