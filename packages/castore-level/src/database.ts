import { compareBytes } from "@tvix/byte-stream";
import {
  CastoreError,
  InTurn,
  type OperationOptions,
  type RecordChange,
  type RecordCondition,
  type RecordRange,
  type RecordStore,
} from "@tvix/castore";
import { GroupCommit, prefixEnd } from "@tvix/castore/backend";
import type { AnyLevel } from "./any-level.ts";
import { databaseFailure } from "./database-failure.ts";
import { PendingWrite, withConditions } from "./pending-write.ts";
import type { WriteAheadLog } from "./write-ahead-log.ts";

/** How a {@link Database} writes. */
export interface DatabaseOptions {
  /**
   * Whether every write is flushed to the disk before it is acknowledged. Default false:
   * it survives the end of the process, not a power cut.
   */
  readonly sync?: boolean;
  /** Called before changes are made; refuses them by throwing, or by a promise that rejects. Default: all are made. */
  readonly admit?: ((changes: readonly RecordChange[]) => Promise<void> | undefined) | undefined;
  /** What all changes are written to before they are made. Default: nothing. */
  readonly log?: WriteAheadLog | undefined;
  /**
   * Whether the database may be closed and opened again, asked after a write has failed: opening
   * needs room on the disk. Default: never, and later writes fail as the first one did.
   */
  readonly mayReopen?: () => Promise<boolean>;
  /** Why nothing can be written, where that is known from the start. Reading works. */
  readonly unwritable?: CastoreError | undefined;
}

const VIEWS = { keyEncoding: "view", valueEncoding: "view" } as const;

/** What the changes of one batch weigh together, in bytes: some thousand short ones, or as much as this of long ones. */
const BATCH_BYTES = 4 << 20;

/**
 * Records in any Level database: writes that come together share one batch, and results are plain
 * Uint8Arrays. The process that has the database open is the only one that has it.
 *
 * After a write has failed all later ones fail, until the database was opened again, which the
 * next write tries where that is allowed. Reading goes on meanwhile.
 *
 * Every write goes through one queue, each batch flushed when `sync` is set: LevelDB does not
 * make earlier writes durable with a later flushed one once its log has been rotated.
 */
export class Database implements RecordStore {
  readonly #level: AnyLevel;
  readonly #log: WriteAheadLog | undefined;
  readonly #admit: DatabaseOptions["admit"];
  readonly #turn: InTurn = new InTurn();
  /** `sync` is known to databases on a disk only. */
  readonly #writeOptions: typeof VIEWS & { readonly sync: boolean };
  readonly #mayReopen: () => Promise<boolean>;
  readonly #commits: GroupCommit<PendingWrite>;
  /** Why nothing can be written. */
  #broken: CastoreError | undefined;
  #reopening: Promise<void> | undefined;
  #closed = false;

  constructor(level: AnyLevel, options: DatabaseOptions = {}) {
    const { sync = false, mayReopen = async () => false, unwritable, log, admit } = options;
    this.#level = level;
    this.#log = log;
    this.#admit = admit;
    this.#broken = unwritable;
    this.#writeOptions = { ...VIEWS, sync };
    this.#mayReopen = mayReopen;
    this.#commits = new GroupCommit((writes) => this.exclusively(() => this.#apply(writes)), BATCH_BYTES);
  }

  /** Why writes fail at present; undefined while they do not. */
  get failure(): CastoreError | undefined {
    return this.#broken;
  }

  /** Tries to make writing possible again; returns why it is not. */
  async recover(): Promise<CastoreError | undefined> {
    if (this.#broken !== undefined) await this.write([]).catch(() => {});
    return this.#broken;
  }

  /** Runs a task while nothing is written: all that was acknowledged is there. */
  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    return await this.#turn.run("write", task);
  }

  async #apply(writes: readonly PendingWrite[]): Promise<void> {
    if (this.#broken !== undefined) await this.#reopen(this.#broken);
    const changes = await withConditions(writes, (key) => this.#get(key));
    if (changes.length === 0) return;
    try {
      const noted = await this.#log?.append(changes);
      await this.#level.batch(noted === undefined ? changes : [...changes, ...noted], this.#writeOptions);
    } catch (cause) {
      const error = databaseFailure(cause);
      // LevelDB would go on behind a torn record of its log, and drop all that after a restart.
      if (error.code !== "CLOSED") this.#broken = error;
      throw error;
    }
  }

  /** Opened anew, LevelDB leaves out the torn record and goes on in another log. */
  async #reopen(broken: CastoreError): Promise<void> {
    if (this.#closed || !(await this.#mayReopen()) || this.#closed) throw broken;
    const reopen = async () => {
      await this.#level.close();
      await this.#level.open();
      await this.#log?.recover();
    };
    this.#reopening = reopen();
    try {
      await this.#reopening;
      this.#broken = undefined;
    } catch (cause) {
      throw databaseFailure(cause);
    } finally {
      this.#reopening = undefined;
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    return await this.#get(key);
  }

  async #get(key: Uint8Array): Promise<Uint8Array | undefined> {
    // Whether that succeeds is for the look-up to find out.
    if (this.#reopening !== undefined) await this.#reopening.catch(() => {});
    try {
      const value = await this.#find(key);
      return value === undefined ? undefined : view(value);
    } catch (cause) {
      throw databaseFailure(cause);
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    for (const key of keys) values.push(await this.get(key));
    return values;
  }

  async has(key: Uint8Array): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  #find(key: Uint8Array): Promise<Uint8Array | undefined> | Uint8Array | undefined {
    // A hot look-up takes 5 µs on the spot and 50 µs through the thread pool.
    const { getSync } = this.#level.supports as { getSync?: boolean };
    const onTheSpot = getSync === true && this.#level.status === "open";
    return onTheSpot ? this.#level.getSync(key, VIEWS) : this.#level.get(key, VIEWS);
  }

  async write(
    changes: readonly RecordChange[],
    conditions: readonly RecordCondition[] = [],
  ): Promise<boolean> {
    this.#checkOpen();
    const admitted = this.#admit?.(changes);
    if (admitted !== undefined) {
      await admitted;
      this.#checkOpen();
    }
    const write = new PendingWrite(changes, conditions);
    await this.#commits.commit(write, write.weight);
    if (write.failure !== undefined) throw write.failure.error;
    return write.isDone;
  }

  async *entries(
    { prefix, after }: RecordRange,
    { signal }: OperationOptions = {},
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    this.#checkOpen();
    signal?.throwIfAborted();
    const end = prefixEnd(prefix);
    const isWithin = after !== undefined && compareBytes(after, prefix) > 0;
    const range = {
      ...(isWithin ? { gt: after } : { gte: prefix }),
      ...(end === undefined ? {} : { lt: end }),
    };
    if (this.#reopening !== undefined) await this.#reopening.catch(() => {});
    try {
      const iterator = this.#level.iterator({ ...range, ...VIEWS });
      for await (const [key, value] of iterator) {
        signal?.throwIfAborted();
        yield [view(key), view(value)];
      }
    } catch (cause) {
      if (signal?.aborted === true) throw signal.reason;
      throw databaseFailure(cause);
    }
  }

  /** Resolves when every write so far has been applied or has failed. */
  async idle(): Promise<void> {
    await this.#commits.idle();
  }

  /** The same, and whatever comes from then on fails: the caller closes what is below. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#commits.idle();
  }

  #checkOpen(): void {
    if (this.#closed) throw new CastoreError("CLOSED", "the store is closed");
  }
}

/** The same memory without the methods of Buffer, which some databases return. */
function view(value: Uint8Array): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
