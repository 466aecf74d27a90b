import { copyBytes } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import { holds, nameOfKey } from "./condition.ts";
import type { RecordChange, RecordCondition, RecordRange, RecordStore } from "./record-store.ts";
import { SortedNames } from "./sorted-names.ts";

/** Records in memory, for tests and for what need not last. */
export class MemoryRecordStore implements RecordStore {
  /** By the bytes of the key, each a character. */
  readonly #records: Map<string, readonly [key: Uint8Array, value: Uint8Array]> = new Map();
  /** The keys of these. */
  readonly #names = new SortedNames();

  #closed = false;

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    return this.#records.get(nameOfKey(key))?.[1];
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#checkOpen();
    return keys.map((key) => this.#records.get(nameOfKey(key))?.[1]);
  }

  async has(key: Uint8Array): Promise<boolean> {
    this.#checkOpen();
    return this.#records.has(nameOfKey(key));
  }

  async write(
    changes: readonly RecordChange[],
    conditions: readonly RecordCondition[] = [],
  ): Promise<boolean> {
    this.#checkOpen();
    const areMet = conditions.every((one) => holds(one, this.#records.get(nameOfKey(one.key))?.[1]));
    if (!areMet) return false;
    for (const change of changes) {
      const name = nameOfKey(change.key);
      // Bytes of their own: many a key or value is a piece of a block that it would keep.
      if (change.type === "put") {
        if (!this.#records.has(name)) this.#names.add(name);
        this.#records.set(name, [copyBytes(change.key), copyBytes(change.value)]);
      } else if (this.#records.delete(name)) this.#names.remove(name);
    }
    return true;
  }

  async *entries(
    { prefix, after }: RecordRange,
    { signal }: OperationOptions = {},
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
    this.#checkOpen();
    signal?.throwIfAborted();
    const start = nameOfKey(prefix);
    let next = after === undefined ? start : behindName(nameOfKey(after));
    if (next < start) next = start;
    for (;;) {
      // Others may have written since the last one was given out.
      const name = this.#names.from(next);
      if (name?.startsWith(start) !== true) return;
      yield this.#records.get(name) as readonly [key: Uint8Array, value: Uint8Array];
      signal?.throwIfAborted();
      next = behindName(name);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new CastoreError("CLOSED", "the store is closed");
  }
}

/** The first of all names that come behind one. */
function behindName(name: string): string {
  return `${name}\0`;
}
