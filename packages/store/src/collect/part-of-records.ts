import { concatBytes } from "@tvix/byte-stream";
import type {
  OperationOptions,
  RecordChange,
  RecordCondition,
  RecordRange,
  RecordStore,
} from "@tvix/castore";

/** Some records of a store, which have a prefix that nobody sees. */
export class PartOfRecords implements RecordStore {
  readonly #inner: RecordStore;
  readonly #prefix: Uint8Array;

  constructor(inner: RecordStore, prefix: Uint8Array) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#inner.get(this.#full(key));
  }

  has(key: Uint8Array): Promise<boolean> {
    return this.#inner.has(this.#full(key));
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#inner.getMany(keys.map((key) => this.#full(key)));
  }

  write(changes: readonly RecordChange[], conditions: readonly RecordCondition[] = []): Promise<boolean> {
    return this.#inner.write(
      changes.map((change) => ({ ...change, key: this.#full(change.key) })),
      conditions.map((condition) => ({ ...condition, key: this.#full(condition.key) })),
    );
  }

  async *entries(
    { prefix, after }: RecordRange,
    options: OperationOptions = {},
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    const range = { prefix: this.#full(prefix), after: after && this.#full(after) };
    for await (const [key, value] of this.#inner.entries(range, options)) {
      yield [key.subarray(this.#prefix.length), value];
    }
  }

  /** The records they are part of are closed by others. */
  async close(): Promise<void> {}

  #full(key: Uint8Array): Uint8Array {
    return concatBytes([this.#prefix, key]);
  }
}
