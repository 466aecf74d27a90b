import type { ByteSource, ByteStream } from "@tvix/byte-stream";
import type { FastCdc } from "./fastcdc.ts";

/**
 * Cuts a stream into content-defined chunks. Each chunk is the consumer's to keep; an empty
 * stream has none. A source of one short piece passes through without a copy.
 */
export async function* cutChunks(source: ByteSource, fastCdc: FastCdc): ByteStream {
  if (source instanceof Uint8Array) {
    yield* cutBytes(source, fastCdc);
    return;
  }
  let window = new Window(fastCdc.sizes.max);
  for await (const piece of source) {
    let rest = piece;
    while (rest.length > 0) {
      rest = window.fill(rest);
      if (!window.isFull) break;
      const length = fastCdc.cut(window.bytes);
      yield window.bytes.subarray(0, length);
      window = new Window(fastCdc.sizes.max, window.bytes.subarray(length));
    }
  }
  yield* cutBytes(window.bytes, fastCdc);
}

function* cutBytes(bytes: Uint8Array, fastCdc: FastCdc): Generator<Uint8Array, void, undefined> {
  let rest = bytes;
  while (rest.length > 0) {
    const length = fastCdc.cut(rest);
    yield rest.subarray(0, length);
    rest = rest.subarray(length);
  }
}

/** The bytes between the last cut and the end of what has arrived. */
class Window {
  readonly #capacity: number;
  #memory: Uint8Array;
  #length = 0;

  constructor(capacity: number, start?: Uint8Array) {
    this.#capacity = capacity;
    this.#memory = new Uint8Array(start === undefined ? 0 : capacity);
    if (start !== undefined) this.fill(start);
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  get isFull(): boolean {
    return this.#length === this.#capacity;
  }

  /** Takes what fits and returns the rest. */
  fill(piece: Uint8Array): Uint8Array {
    const taken = piece.subarray(0, this.#capacity - this.#length);
    this.#reserve(this.#length + taken.length);
    this.#memory.set(taken, this.#length);
    this.#length += taken.length;
    return piece.subarray(taken.length);
  }

  /** Grows in doubling steps, so that a small blob costs little. */
  #reserve(length: number): void {
    if (length <= this.#memory.length) return;
    const grown = new Uint8Array(Math.min(this.#capacity, Math.max(length, 2 * this.#memory.length)));
    grown.set(this.#memory.subarray(0, this.#length));
    this.#memory = grown;
  }
}
