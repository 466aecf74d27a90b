import { CastoreError, type RecordChange } from "@tvix/castore";
import { isDerived } from "./derived.ts";

/** Bytes that are written before files are measured again: a hundredth of the limit, but no more than this. */
const MOST_UNMEASURED_BYTES = 64 << 20;

/** How old a measurement may be by which somebody is refused, if nothing has been written since, in milliseconds. */
const REMEASURE_MS = 1000;

/**
 * Records by which nothing comes into a store: facts, places of chunks, marks of collections and of damage, leases, pins,
 * what is derived. They are written where nothing else may be, so that room can be made.
 */
const FREE_TABLES = ["m1", "c1", "g1", "x1", "u2", "k1", "v1"];

/** Refuses what comes into a store that takes as much of the disk as it may. */
export class DiskLimit {
  readonly #limit: number;
  readonly #measure: () => Promise<number>;
  #measured = 0;
  #written = 0;
  #measuredAt = 0;
  #measuring: Promise<void> | undefined;

  /**
   * @param limit in bytes
   * @param measure what the store takes
   */
  constructor(limit: number, measure: () => Promise<number>) {
    this.#limit = limit;
    this.#measure = measure;
  }

  /** Notes that something was written, of so many bytes. */
  add(bytes: number): void {
    this.#written += bytes;
    if (this.#written > Math.min(this.#limit / 100, MOST_UNMEASURED_BYTES))
      void this.#measureOnce().catch(() => {});
  }

  /** Measures what the store takes, from now on. */
  async measure(): Promise<void> {
    // One that is under way may not have seen what is gone by now.
    await this.#measuring;
    await this.#measureOnce();
  }

  /**
   * Resolves, or returns nothing, when something may come. Nobody is refused by an estimate: it is measured first.
   *
   * @throws CastoreError NO_SPACE while nothing may come
   */
  check(): Promise<void> | undefined {
    return this.#isFull() ? this.#checkMeasured() : undefined;
  }

  #isFull(): boolean {
    return this.#measured + this.#written >= this.#limit;
  }

  async #checkMeasured(): Promise<void> {
    if (this.#written > 0 || performance.now() - this.#measuredAt > REMEASURE_MS) await this.measure();
    if (!this.#isFull()) return;
    throw new CastoreError(
      "NO_SPACE",
      "the store takes as much of the disk as it may: nothing is stored until some has gone",
    );
  }

  /** The same for changes of records, which are noted. */
  checkChanges(changes: readonly RecordChange[]): Promise<void> | undefined {
    const bytes = changes.reduce((sum, change) => sum + bytesThatCome(change), 0);
    // Into the index, and into the journal.
    return bytes === 0 ? undefined : this.checkAndAdd(2 * bytes);
  }

  /** The same for something of so many bytes, which is noted. */
  checkAndAdd(bytes: number): Promise<void> | undefined {
    const checked = this.check();
    if (checked !== undefined) return checked.then(() => this.add(bytes));
    this.add(bytes);
    return undefined;
  }

  async #measureOnce(): Promise<void> {
    this.#measuring ??= this.#measureNow().finally(() => {
      this.#measuring = undefined;
    });
    await this.#measuring;
  }

  async #measureNow(): Promise<void> {
    const before = this.#written;
    this.#measured = await this.#measure();
    this.#measuredAt = performance.now();
    this.#written -= before;
  }
}

function bytesThatCome(change: RecordChange): number {
  const { key } = change;
  if (change.type === "del" || isDerived(key)) return 0;
  const isFree = FREE_TABLES.includes(String.fromCharCode(key[0] ?? 0, key[1] ?? 0));
  return isFree ? 0 : key.length + change.value.length;
}
