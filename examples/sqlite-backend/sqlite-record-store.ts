import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import {
  CastoreError,
  type OperationOptions,
  type RecordChange,
  type RecordCondition,
  type RecordRange,
  type RecordStore,
} from "@tvix/castore";
import { prefixEnd } from "@tvix/castore/backend";

/** Records that are read at a time while a range is looked through. */
const PAGE_RECORDS = 200;

/** SQLite's number for a full disk. */
const SQLITE_FULL = 13;

type Row = Record<string, SQLOutputValue>;

/** Records in one table of SQLite. Several processes may use the same file. */
export class SqliteRecordStore implements RecordStore {
  readonly #database: DatabaseSync;

  /** @param path of the file, which is made where it is not there; `:memory:` for none */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA busy_timeout = 5000;
      CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    `);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#done(() => this.#find(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#done(() => keys.map((key) => this.#find(key)));
  }

  async has(key: Uint8Array): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  async write(
    changes: readonly RecordChange[],
    conditions: readonly RecordCondition[] = [],
  ): Promise<boolean> {
    return this.#done(() => {
      // Nobody else writes between the look at the conditions and the changes.
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const areMet = conditions.every(({ key, value }) => isSame(this.#find(key), value));
        if (areMet) for (const change of changes) this.#apply(change);
        this.#database.exec("COMMIT");
        return areMet;
      } catch (error) {
        // A full disk ends a transaction by itself.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  async *entries(
    { prefix, after }: RecordRange,
    { signal }: OperationOptions = {},
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    signal?.throwIfAborted();
    // A page at a time, so that nothing is held while the reader does something else, such as write.
    let from = prefix;
    let known = after;
    for (;;) {
      const page = this.#done(() => this.#page(prefix, from, known));
      for (const { key, value } of page) {
        signal?.throwIfAborted();
        yield [bytesOf(key), bytesOf(value)];
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_RECORDS) return;
      from = bytesOf(last["key"]);
      known = from;
    }
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  #find(key: Uint8Array): Uint8Array | undefined {
    const row = this.#database.prepare("SELECT value FROM records WHERE key = ?").get(key);
    return row === undefined ? undefined : bytesOf(row["value"]);
  }

  #apply(change: RecordChange): void {
    if (change.type === "del") {
      this.#database.prepare("DELETE FROM records WHERE key = ?").run(change.key);
    } else {
      this.#database
        .prepare("INSERT OR REPLACE INTO records (key, value) VALUES (?, ?)")
        .run(change.key, change.value);
    }
  }

  /** The next records with a prefix, from a key on, behind one that is known. */
  #page(prefix: Uint8Array, from: Uint8Array, known: Uint8Array | undefined): Row[] {
    return this.#database
      .prepare(`
        SELECT key, value FROM records
        WHERE key >= :from AND (:end IS NULL OR key < :end) AND (:known IS NULL OR key > :known)
        ORDER BY key LIMIT :limit
      `)
      .all({ from, end: prefixEnd(prefix) ?? null, known: known ?? null, limit: PAGE_RECORDS });
  }

  /** Does something, whose failure is told in the words of the contract. */
  #done<T>(action: () => T): T {
    if (!this.#database.isOpen) throw new CastoreError("CLOSED", "the store is closed");
    try {
      return action();
    } catch (cause) {
      const isFull = cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_FULL;
      throw new CastoreError(isFull ? "NO_SPACE" : "STORAGE_FAILURE", "the database failed", { cause });
    }
  }
}

function bytesOf(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError("a column that holds no bytes");
  return value;
}

function isSame(found: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  if (found === undefined || expected === undefined) return found === expected;
  return Buffer.compare(found, expected) === 0;
}
