import { letOthersFinish } from "../concurrency/let-others-finish.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordChange, RecordCondition, RecordRange, RecordStore } from "./record-store.ts";

/** Records that are read before others are looked at: a millisecond or two of the thread's time. */
const IN_A_ROW = 100;

/** The longest rest between two steps, in milliseconds. */
const MOST_REST_MS = 10;

/**
 * The same records for work that nobody waits for, such as a collection: between its steps all others go first, and where
 * there are others it rests for as long as a step has taken. Writes are not taken apart; whoever makes them keeps
 * them short.
 */
export class UnhurriedRecordStore implements RecordStore {
  readonly #inner: RecordStore;
  #inARow = 0;
  /** When the step began that is under way. */
  #began: number = performance.now();

  constructor(inner: RecordStore) {
    this.#inner = inner;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    await this.#step(1);
    return await this.#inner.get(key);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (keys.length <= IN_A_ROW) {
      await this.#step(keys.length);
      return await this.#inner.getMany(keys);
    }
    const values: (Uint8Array | undefined)[] = [];
    for (let start = 0; start < keys.length; start += IN_A_ROW) {
      values.push(...(await this.getMany(keys.slice(start, start + IN_A_ROW))));
    }
    return values;
  }

  async has(key: Uint8Array): Promise<boolean> {
    await this.#step(1);
    return await this.#inner.has(key);
  }

  async write(changes: readonly RecordChange[], conditions?: readonly RecordCondition[]): Promise<boolean> {
    const isDone = await this.#inner.write(changes, conditions);
    await this.#step(changes.length);
    return isDone;
  }

  async *entries(
    range: RecordRange,
    options?: OperationOptions,
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    for await (const entry of this.#inner.entries(range, options)) {
      await this.#step(1);
      yield entry;
    }
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  /** Counts what is done next, and lets others go first where it is much with what was done before. */
  async #step(records: number): Promise<void> {
    this.#inARow += records;
    if (this.#inARow <= IN_A_ROW) return;
    this.#inARow = records;
    const took = performance.now() - this.#began;
    if (await letOthersFinish()) await rest(Math.min(took, MOST_REST_MS));
    this.#began = performance.now();
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
