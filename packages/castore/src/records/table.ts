import { allocateShortLived } from "../bytes/short-lived.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { Codec } from "./codec.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";
import { seal, unseal } from "./seal.ts";

/** What a table is. */
export interface TableDeclaration<K, V> {
  /**
   * What its keys begin with: a letter for the kind and digits for the version of its form, and a tilde
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

/** One record of a table; its value is decoded when it is asked for, and may prove damaged then. */
export interface TableEntry<K, V> {
  readonly key: K;
  /** @throws CastoreError CORRUPT */
  value(): V;
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

  /** Whether its records can be made again from others. */
  get derived(): boolean {
    return this.declaration.prefix.startsWith("~");
  }

  /** The key of a record as it is in the store. */
  keyOf(key: K): Uint8Array {
    return joined(this.#prefix, this.declaration.key.encode(key));
  }

  /** The change that puts a record. */
  put(key: K, value: V): RecordChange {
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
    return value === undefined ? undefined : this.#decode(stored, value, key, subject);
  }

  /** The same; a damaged record counts as none: for what can be had again. */
  async find(store: RecordStore, key: K): Promise<V | undefined> {
    try {
      return await this.get(store, key);
    } catch (error) {
      if (CastoreError.is(error) && error.code === "CORRUPT") return undefined;
      throw error;
    }
  }

  /** Whether there is a record, damaged or not. */
  async has(store: RecordStore, key: K): Promise<boolean> {
    return await store.has(this.keyOf(key));
  }

  /**
   * The records whose keys begin with some bytes, in the order of their keys.
   *
   * @param within what keys begin with; default: all
   */
  async *entries(
    store: RecordStore,
    within: Uint8Array = NOTHING,
    options: OperationOptions = {},
  ): AsyncGenerator<TableEntry<K, V>, void, undefined> {
    for await (const [stored, value] of store.entries({ prefix: joined(this.#prefix, within) }, options)) {
      const key = this.declaration.key.decode(stored.slice(this.#prefix.length));
      yield { key, value: () => this.#decode(stored, value, key) };
    }
  }

  #decode(stored: Uint8Array, value: Uint8Array, key: K, subject?: string): V {
    const { sealed, value: codec } = this.declaration;
    if (!sealed) return codec.decode(value);
    return codec.decode(unseal(stored, value, subject ?? this.declaration.subject(key)));
  }
}

const NOTHING = new Uint8Array(0);

function joined(prefix: Uint8Array, rest: Uint8Array): Uint8Array {
  const key = allocateShortLived(prefix.length + rest.length);
  key.set(prefix);
  key.set(rest, prefix.length);
  return key;
}
