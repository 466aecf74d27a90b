import { allocateShortLived } from "../bytes/short-lived.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { Codec } from "./codec.ts";
import type { RecordChange, RecordCondition, RecordStore } from "./record-store.ts";
import { seal, unseal } from "./seal.ts";

/** What a table is. */
export interface TableDeclaration<K, V> {
  /**
   * What its keys begin with: a letter for the kind and a digit for the version of its form, and a tilde
   * in front of both where the table is derived.
   */
  readonly prefix: string;
  /** What a record is about, for messages. */
  readonly subject: (key: K) => string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** Whether values carry a checksum of key and value: for those that no digest names. */
  readonly sealed: boolean;
}

/** One record of a table. Key and value are decoded when they are asked for, and may prove damaged then. */
export interface TableEntry<K, V> {
  /** Bytes of the value as it is stored. */
  readonly length: number;
  /** @throws CastoreError CORRUPT */
  key(): K;
  /** The same; undefined for a key that is none of this table: nobody can ask for its record. */
  findKey(): K | undefined;
  /** @throws CastoreError CORRUPT */
  value(): V;
  /** The change that removes it, damaged or not. */
  remove(): RecordChange;
  /** That it still is as it was found. */
  isUnchanged(): RecordCondition;
}

/**
 * Records of one kind in a {@link RecordStore}: declared once, with what their keys and values are.
 *
 * All derived tables lie in one range of keys, which may be removed at any time: they can be made again,
 * and what is read from them is never believed further than what it rests on.
 */
export class Table<K, V> {
  readonly declaration: TableDeclaration<K, V>;
  readonly #prefix: Uint8Array;

  constructor(declaration: TableDeclaration<K, V>) {
    this.declaration = declaration;
    this.#prefix = new TextEncoder().encode(declaration.prefix);
  }

  /** That there is no record of a key. */
  isAbsent(key: K): RecordCondition {
    return { key: this.keyOf(key), value: undefined };
  }

  /** Whether its records can be made again from others. */
  get derived(): boolean {
    return this.declaration.prefix.startsWith("~");
  }

  /** The key of a record as it is in the store. */
  keyOf(key: K): Uint8Array {
    return joined(this.#prefix, this.declaration.key.encode(key));
  }

  /** The change that puts a record. */
  put(key: K, value: V): RecordChange & { readonly type: "put" } {
    const { sealed, value: codec } = this.declaration;
    const stored = this.keyOf(key);
    const encoded = codec.encode(value);
    return { type: "put", key: stored, value: sealed ? seal(stored, encoded) : encoded };
  }

  /** The change that removes a record. */
  remove(key: K): RecordChange {
    return { type: "del", key: this.keyOf(key) };
  }

  /**
   * @param subject what the record is about, for the message; default: as declared
   * @throws CastoreError CORRUPT when the record is damaged
   */
  async get(store: RecordStore, key: K, subject?: string): Promise<V | undefined> {
    const stored = this.keyOf(key);
    const value = await store.get(stored);
    return value === undefined ? undefined : this.#decode(stored, value, () => key, subject);
  }

  /** What a record holds that was read together with others; undefined for a damaged one. */
  decode(key: K, value: Uint8Array): V | undefined {
    return this.#intact(this.keyOf(key), value, key);
  }

  /** The same; a damaged record counts as none: for what can be had again. */
  async find(store: RecordStore, key: K): Promise<V | undefined> {
    return (await this.look(store, key)).value;
  }

  /** The same, and whether there is any record. */
  async look(
    store: RecordStore,
    key: K,
  ): Promise<{ readonly value: V | undefined; readonly isThere: boolean }> {
    try {
      const value = await this.get(store, key);
      return { value, isThere: value !== undefined };
    } catch (error) {
      if (isDamage(error)) return { value: undefined, isThere: true };
      throw error;
    }
  }

  /**
   * Stores what is made of the record that is there, which nobody changes in between. A damaged record counts
   * as none.
   *
   * @param change may be called again, where somebody else was quicker; what it throws is thrown
   * @param conditionFor what else has to hold for a value to be stored, asked for each anew
   * @returns what is stored
   */
  async update(
    store: RecordStore,
    key: K,
    change: (known: V | undefined) => V,
    conditionFor?: (next: V) => Promise<RecordCondition>,
  ): Promise<V> {
    const stored = this.keyOf(key);
    for (;;) {
      const found = await store.get(stored);
      const next = change(found === undefined ? undefined : this.#intact(stored, found, key));
      const isAsFound = { key: stored, value: found };
      const conditions = conditionFor === undefined ? [isAsFound] : [isAsFound, await conditionFor(next)];
      if (await store.write([this.put(key, next)], conditions)) return next;
    }
  }

  /** Whether there is a record, damaged or not. */
  has(store: RecordStore, key: K): Promise<boolean> {
    return store.has(this.keyOf(key));
  }

  /** How many records there are, damaged ones included: all of them are looked at. */
  async count(store: RecordStore, options: OperationOptions = {}): Promise<number> {
    let found = 0;
    for await (const _ of store.entries({ prefix: this.#prefix }, options)) found++;
    return found;
  }

  /**
   * The records whose keys begin with some bytes, in the order of their keys.
   *
   * @param within what keys begin with; default: all
   * @param options `after`: a key, there or not: those behind it follow. Default: from the first one on
   */
  async *entries(
    store: RecordStore,
    within: Uint8Array = NOTHING,
    { after, ...options }: OperationOptions & { readonly after?: K | undefined } = {},
  ): AsyncGenerator<TableEntry<K, V>, void, undefined> {
    const prefix = joined(this.#prefix, within);
    const range = after === undefined ? { prefix } : { prefix, after: this.keyOf(after) };
    for await (const [stored, value] of store.entries(range, options)) {
      const key = () => this.#decodeKey(stored);
      yield {
        length: value.length,
        key,
        findKey: () => undamaged(key),
        value: () => this.#decode(stored, value, key),
        remove: () => ({ type: "del", key: stored }),
        isUnchanged: () => ({ key: stored, value }),
      };
    }
  }

  #intact(stored: Uint8Array, value: Uint8Array, key: K): V | undefined {
    return undamaged(() => this.#decode(stored, value, () => key));
  }

  #decodeKey(stored: Uint8Array): K {
    try {
      return this.declaration.key.decode(stored.slice(this.#prefix.length));
    } catch (cause) {
      throw damaged(`a key of the table ${this.declaration.prefix}`, cause);
    }
  }

  #decode(stored: Uint8Array, value: Uint8Array, key: () => K, given?: string): V {
    const { sealed, subject, value: codec } = this.declaration;
    try {
      return codec.decode(sealed ? unseal(stored, value) : value);
    } catch (cause) {
      throw damaged(given ?? subject(key()), cause);
    }
  }
}

/** What is decoded; undefined where it is damaged. */
function undamaged<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/** Whether a failure is that of a damaged record. */
export function isDamage(error: unknown): boolean {
  return CastoreError.is(error) && error.code === "CORRUPT";
}

function damaged(subject: string, cause: unknown): CastoreError {
  return new CastoreError("CORRUPT", `the record of ${subject} is damaged`, { subject, cause });
}

const NOTHING = new Uint8Array(0);

function joined(prefix: Uint8Array, rest: Uint8Array): Uint8Array {
  const key = allocateShortLived(prefix.length + rest.length);
  key.set(prefix);
  key.set(rest, prefix.length);
  return key;
}
