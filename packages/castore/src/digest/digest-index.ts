import { B3_DIGEST_LENGTH, B3Digest } from "./b3-digest.ts";

/** Words of 32 bits in a digest. */
const WORDS = B3_DIGEST_LENGTH / 4;

/** Digests for which there is room at first. */
const FIRST_CAPACITY = 8;

/** Places of the table for each digest that there is room for: it is never more than half full. */
const PLACES = 2;

/**
 * Distinct digests, numbered in the order in which they were added. Their bytes lie side by side, so that millions of them
 * are no objects that the garbage collector goes through: each takes 40 to 80 bytes, and 120 while the table grows.
 */
export class DigestIndex {
  /** Of each digest its words, by its number. */
  #words = new Uint32Array(WORDS * FIRST_CAPACITY);
  /** A hash table with open addressing: the number of a digest plus one; zero where there is none. */
  #table = new Uint32Array(PLACES * FIRST_CAPACITY);
  #length = 0;
  /** By what words are multiplied: chosen at random, so that nobody can send digests that meet in one place. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(WORDS));
  /** The digest that is looked at. */
  readonly #bytes = new Uint8Array(B3_DIGEST_LENGTH);
  readonly #asked = new Uint32Array(this.#bytes.buffer);

  /** How many digests there are. */
  get length(): number {
    return this.#length;
  }

  /** The number of a digest; undefined when it has not been added. */
  find(digest: B3Digest): number | undefined {
    this.#bytes.set(digest.bytes);
    const number = (this.#table[this.#placeOf(this.#asked)] as number) - 1;
    return number < 0 ? undefined : number;
  }

  /** Adds a digest that is not there. @returns its number */
  add(digest: B3Digest): number {
    if (PLACES * (this.#length + 1) > this.#table.length) this.#grow();
    this.#bytes.set(digest.bytes);
    this.#words.set(this.#asked, WORDS * this.#length);
    this.#table[this.#placeOf(this.#asked)] = this.#length + 1;
    return this.#length++;
  }

  /** The digest of a number that {@link add} has returned. */
  at(number: number): B3Digest {
    return B3Digest.from(new Uint8Array(this.#wordsOf(number).slice().buffer));
  }

  /** Where in the table a digest is, or would be. */
  #placeOf(words: Uint32Array): number {
    const last = this.#table.length - 1;
    for (let place = this.#hash(words) & last; ; place = (place + 1) & last) {
      const entry = this.#table[place] as number;
      if (entry === 0 || this.#isAt(entry - 1, words)) return place;
    }
  }

  #isAt(number: number, words: Uint32Array): boolean {
    for (let at = 0; at < WORDS; at++) if (this.#words[WORDS * number + at] !== words[at]) return false;
    return true;
  }

  /** The upper bits of a sum of products, folded: the lower ones depend on the lower ones of each word only. */
  #hash(words: Uint32Array): number {
    let sum = 0;
    for (let at = 0; at < WORDS; at++) {
      sum = (sum + Math.imul(words[at] as number, this.#factors[at] as number)) | 0;
    }
    return sum ^ (sum >>> 15);
  }

  #wordsOf(number: number): Uint32Array {
    return this.#words.subarray(WORDS * number, WORDS * (number + 1));
  }

  #grow(): void {
    const words = new Uint32Array(2 * this.#words.length);
    words.set(this.#words);
    this.#words = words;
    this.#table = new Uint32Array(2 * this.#table.length);
    for (let number = 0; number < this.#length; number++) {
      this.#table[this.#placeOf(this.#wordsOf(number))] = number + 1;
    }
  }
}
