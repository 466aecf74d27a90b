import { LRUCache } from "lru-cache";
import type { EncodedChunk } from "../chunks/chunk-codec.ts";
import type { B3Digest } from "../digest/b3-digest.ts";

/**
 * Remembers what was read last, up to so many bytes, and lets those who ask for the same at
 * once share one read: many clients often fetch the same at the same time.
 */
export class RecentReads<T extends object> {
  readonly #recent: LRUCache<string, T>;
  readonly #underWay: Map<string, Promise<T>> = new Map();
  #asked = 0;
  #missed = 0;

  /**
   * @param maxBytes remembered in all
   * @param sizeOf bytes that a value takes
   */
  constructor(maxBytes: number, sizeOf: (value: T) => number) {
    // An entry takes memory beside its bytes, and has a size of at least 1.
    this.#recent = new LRUCache({ maxSize: maxBytes, sizeCalculation: (value) => sizeOf(value) + 100 });
  }

  /** How often something was asked for. */
  get asked(): number {
    return this.#asked;
  }

  /** How often it had to be read for that. */
  get missed(): number {
    return this.#missed;
  }

  /** What is remembered under a digest, or read now. A failure is remembered by nobody. */
  async get(digest: B3Digest, read: () => Promise<T>): Promise<T> {
    const { key } = digest;
    this.#asked++;
    return this.#recent.get(key) ?? (await (this.#underWay.get(key) ?? this.#read(key, read)));
  }

  /** Forgets what was read under a digest. */
  forget({ key }: B3Digest): void {
    this.#recent.delete(key);
    this.#underWay.delete(key);
  }

  async #read(key: string, read: () => Promise<T>): Promise<T> {
    this.#missed++;
    const reading = read();
    this.#underWay.set(key, reading);
    try {
      const value = await reading;
      if (this.#underWay.get(key) === reading) this.#recent.set(key, value);
      return value;
    } finally {
      if (this.#underWay.get(key) === reading) this.#underWay.delete(key);
    }
  }
}

/** Remembers chunks, up to so many bytes. */
export function recentChunks(maxBytes: number): RecentReads<Uint8Array> {
  return new RecentReads(maxBytes, ({ length }) => length);
}

/** Remembers stored forms of chunks, up to so many bytes. */
export function recentStoredForms(maxBytes: number): RecentReads<EncodedChunk> {
  return new RecentReads(maxBytes, ({ payload }) => payload.length);
}
