import { encodeHex } from "@tvix/byte-stream";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { CONTENT, type Content } from "../records/tables.ts";

/** Marks that are written together. */
const BATCH = 500;

/**
 * What a look has found reachable, kept in records of its own: so that memory does not grow with the store. The
 * marks of a look are of no use to anybody after it.
 */
export class LiveSet {
  readonly #scratch: RecordStore;
  /** Marks that are not yet written, by their keys in hexadecimal. */
  #pending: Map<string, Uint8Array> = new Map();

  /** @param scratch is empty, and nobody else's */
  constructor(scratch: RecordStore) {
    this.#scratch = scratch;
  }

  /** Adds what is reachable. */
  async add(contents: readonly Content[]): Promise<void> {
    for (const content of contents) {
      const key = CONTENT.encode(content);
      this.#pending.set(encodeHex(key), key);
    }
    if (this.#pending.size >= BATCH) await this.flush();
  }

  /** Whether each of some contents is known to be reachable. */
  async hasMany(contents: readonly Content[]): Promise<readonly boolean[]> {
    const keys = contents.map(CONTENT.encode);
    const known = keys.map((key) => this.#pending.has(encodeHex(key)));
    const unknown = keys.filter((_, index) => known[index] === false);
    if (unknown.length === 0) return known;
    const found = await this.#scratch.getMany(unknown);
    let next = 0;
    return known.map((isKnown) => isKnown || found[next++] !== undefined);
  }

  /** Writes what is pending: then {@link keys} has all of it. */
  async flush(): Promise<void> {
    if (this.#pending.size === 0) return;
    const changes: RecordChange[] = [...this.#pending.values()].map((key) => ({
      type: "put",
      key,
      value: NOTHING,
    }));
    this.#pending = new Map();
    await this.#scratch.write(changes);
  }

  /** The keys of what is reachable of one kind, in order. */
  async *keys(kind: Content["kind"]): AsyncGenerator<Uint8Array, void, undefined> {
    await this.flush();
    for await (const [key] of this.#scratch.entries({ prefix: Uint8Array.of(kind.charCodeAt(0)) })) yield key;
  }
}

const NOTHING = new Uint8Array(0);
