import { setTimeout as sleep } from "node:timers/promises";
import type { CastoreError } from "@tvix/castore";
import pg from "pg";
import type { PostgresAddress } from "./address.ts";
import { isTransient, postgresFailure } from "./failure.ts";

/** How a {@link PatientPool} connects. */
export interface PatientPoolOptions {
  /** Connections at the most. Default 8. */
  readonly connections?: number | undefined;
  /** How long the database may be away before calls fail, in milliseconds: a restart, a fail-over. Default 30 s. */
  readonly patienceMs?: number | undefined;
}

/** How long one query, and the making of a connection, may take, in milliseconds. */
const QUERY_MS = 60_000;
const CONNECT_MS = 5_000;

/** Between attempts, in milliseconds. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** What is asked: prepared once on each connection. */
export interface PreparedQuery {
  readonly name: string;
  readonly text: string;
}

/** Connections to a database that may be restarted: what fails with a connection is tried again. */
export class PatientPool {
  readonly #pool: pg.Pool;
  readonly #patienceMs: number;

  constructor(address: PostgresAddress, { connections = 8, patienceMs = 30_000 }: PatientPoolOptions = {}) {
    this.#patienceMs = patienceMs;
    this.#pool = new pg.Pool({
      connectionString: address.connectionString,
      max: connections,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
      application_name: "tvix-store",
      // Look-ups go by the index, whatever the planner knows of a table that has just been filled.
      // Conditions are looked at behind locks: what was committed before them has to be seen, whatever the
      // database takes for its default.
      onConnect: async (client: pg.ClientBase) => {
        await client.query("SET enable_seqscan = off; SET default_transaction_isolation = 'read committed'");
      },
    });
    // A connection that is lost while nobody uses it is made again when somebody does.
    this.#pool.on("error", () => {});
  }

  /**
   * Asks for rows; again where a connection is lost, or the moment was wrong.
   *
   * @throws CastoreError UNAVAILABLE, NO_SPACE, STORAGE_FAILURE
   */
  async query<R extends pg.QueryResultRow>(query: PreparedQuery, values: readonly unknown[]): Promise<R[]> {
    return await this.#patiently(
      async () => (await this.#pool.query<R>({ ...query, values: [...values] })).rows,
    );
  }

  /** Does something that needs one connection; all of it again, as with {@link query}. */
  async withClient<T>(use: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    return await this.#patiently(async () => {
      const client = await this.#pool.connect();
      // Whoever waits for a query is told; this would end the process besides.
      const ignore = () => {};
      client.on("error", ignore);
      try {
        const result = await use(client);
        client.off("error", ignore);
        client.release();
        return result;
      } catch (error) {
        client.release(true);
        throw error;
      }
    });
  }

  /** Whether the database answers now: what it fails with, else undefined. */
  async check(): Promise<CastoreError | undefined> {
    try {
      await this.#pool.query("SELECT 1");
      return undefined;
    } catch (error) {
      return postgresFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #patiently<T>(action: () => Promise<T>): Promise<T> {
    const end = performance.now() + this.#patienceMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        return await action();
      } catch (error) {
        if (!isTransient(error) || performance.now() + pause > end) throw postgresFailure(error);
        await sleep(pause);
        // A process that stood still does nothing late: what is known of its writes may be gone.
        if (performance.now() > end + this.#patienceMs) throw postgresFailure(error);
      }
    }
  }
}
