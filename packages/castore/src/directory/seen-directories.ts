import type { B3Digest } from "../digest/b3-digest.ts";
import { DigestIndex } from "../digest/digest-index.ts";

/** What an upload remembers of a directory that it has seen. */
export interface SeenDirectory {
  /** Entries counted once; the other convention adds `entries`. */
  readonly size: bigint;
  /** Its own entries. */
  readonly entries: number;
  /** Levels from it down, its own included. */
  readonly levels: number;
}

/** What each takes, in bytes: some 110, and 162 while the arrays grow and the shorter ones are not collected yet. */
export const SEEN_DIRECTORY_BYTES = 192;

/** Directories for which there is room at first. */
const FIRST_CAPACITY = 8;

/** What is remembered of the directories of an upload, by number: without an object for each, since there may be millions. */
export class SeenDirectories {
  readonly #digests = new DigestIndex();
  #sizes = new BigUint64Array(FIRST_CAPACITY);
  #entries = new Uint32Array(FIRST_CAPACITY);
  #levels = new Uint8Array(FIRST_CAPACITY);
  #referenced = new Uint8Array(FIRST_CAPACITY);

  /** How many there are. */
  get length(): number {
    return this.#digests.length;
  }

  /** The number of a directory; undefined when it has not been seen. */
  find(digest: B3Digest): number | undefined {
    return this.#digests.find(digest);
  }

  /** Takes in a directory that has not been seen. */
  add(digest: B3Digest, { size, entries, levels }: SeenDirectory): void {
    if (this.length === this.#sizes.length) this.#grow();
    const number = this.#digests.add(digest);
    this.#sizes[number] = size;
    this.#entries[number] = entries;
    this.#levels[number] = levels;
  }

  /** What was added under a number. */
  at(number: number): SeenDirectory {
    return {
      size: this.#sizes[number] as bigint,
      entries: this.#entries[number] as number,
      levels: this.#levels[number] as number,
    };
  }

  /** Notes that another directory refers to this one. @returns whether that is the first one */
  refer(number: number): boolean {
    const isFirst = this.#referenced[number] === 0;
    this.#referenced[number] = 1;
    return isFirst;
  }

  /** The first one that none refers to; undefined: there is none. */
  firstUnreferenced(): B3Digest | undefined {
    const number = this.#referenced.subarray(0, this.length).indexOf(0);
    return number < 0 ? undefined : this.#digests.at(number);
  }

  #grow(): void {
    this.#sizes = doubled(this.#sizes, BigUint64Array);
    this.#entries = doubled(this.#entries, Uint32Array);
    this.#levels = doubled(this.#levels, Uint8Array);
    this.#referenced = doubled(this.#referenced, Uint8Array);
  }
}

/** A copy with as much room again. */
function doubled<T extends { readonly length: number; set(of: T): void }>(
  array: T,
  Type: new (length: number) => T,
): T {
  const copy = new Type(2 * array.length);
  copy.set(array);
  return copy;
}
