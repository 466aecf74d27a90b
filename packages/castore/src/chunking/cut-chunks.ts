import { assertPiece, type ByteSource } from "@tvix/byte-stream";
import { BufferPool } from "../memory-use/buffer-pool.ts";
import type { FastCdc } from "./fastcdc.ts";

/** A chunk of a stream. */
export interface CutChunk {
  /** Must not be looked at after {@link release}. */
  readonly bytes: Uint8Array;
  /** Whether more may follow; false only for what is known to be the last chunk. */
  readonly more: boolean;
  /** Gives back the memory of the bytes. To be called once. */
  readonly release: () => void;
}

/** Most blobs fit into this. */
const SMALL_WINDOW_BYTES = 64 << 10;
const KEPT_SMALL_WINDOWS = 100;

/** Windows kept for later: as many as are on their way into the store at most times. */
const KEPT_WINDOWS = 32;

/** For bytes that belong to somebody else. */
export const NOTHING_TO_RELEASE = (): void => {};

/** Cuts streams into content-defined chunks, in memory that it uses again. */
export class ChunkCutter {
  readonly #fastCdc: FastCdc;
  readonly #smallWindows = new BufferPool(SMALL_WINDOW_BYTES, KEPT_SMALL_WINDOWS);
  readonly #windows: BufferPool;

  constructor(fastCdc: FastCdc) {
    this.#fastCdc = fastCdc;
    this.#windows = new BufferPool(fastCdc.sizes.max, KEPT_WINDOWS);
  }

  /** Up to so many bytes are never cut. */
  get uncutLength(): number {
    return this.#fastCdc.sizes.min;
  }

  /** Longest chunk, in bytes. */
  get chunkBytes(): number {
    return this.#fastCdc.sizes.max;
  }

  /** Memory that a stream takes at the most while it is cut: a window, and what comes in meanwhile. */
  get streamBytes(): number {
    return 2 * this.#fastCdc.sizes.max;
  }

  /** The chunks of a stream; an empty one has none. Bytes at hand are cut without a copy. */
  cut(source: ByteSource): AsyncIterable<CutChunk> | Iterable<CutChunk> {
    return source instanceof Uint8Array
      ? this.#cutBytes(source, NOTHING_TO_RELEASE)
      : this.#cutStream(source);
  }

  async *#cutStream(source: Exclude<ByteSource, Uint8Array>): AsyncGenerator<CutChunk, void, undefined> {
    const { max } = this.#fastCdc.sizes;
    let window = this.#acquire(SMALL_WINDOW_BYTES);
    let length = 0;
    let isWhole = false;
    try {
      for await (const piece of source) {
        assertPiece(piece);
        for (let rest = piece; rest.length > 0; ) {
          if (length + rest.length > window.length && window.length < max) {
            const small = window;
            window = this.#acquire(max);
            window.set(small.subarray(0, length));
            this.#release(small);
          }
          const taken = rest.subarray(0, max - length);
          window.set(taken, length);
          length += taken.length;
          rest = rest.subarray(taken.length);
          if (length < max) break;
          const cut = this.#fastCdc.cut(window);
          const full = window;
          window = this.#acquire(max);
          window.set(full.subarray(cut));
          length -= cut;
          yield { bytes: full.subarray(0, cut), more: true, release: () => this.#release(full) };
        }
      }
      isWhole = true;
    } finally {
      // Nobody has seen what is left in it.
      if (!isWhole) this.#release(window);
    }
    yield* this.#cutBytes(window.subarray(0, length), () => this.#release(window));
  }

  /** A window for so many bytes, or for the longest chunk. */
  #acquire(length: number): Uint8Array {
    return (length <= SMALL_WINDOW_BYTES ? this.#smallWindows : this.#windows).acquire();
  }

  #release(window: Uint8Array): void {
    (window.length <= SMALL_WINDOW_BYTES ? this.#smallWindows : this.#windows).release(window);
  }

  /** @param release called when each of the chunks has been released */
  *#cutBytes(bytes: Uint8Array, release: () => void): Generator<CutChunk, void, undefined> {
    let unreleased = 1;
    const releaseOne = () => {
      unreleased--;
      if (unreleased === 0) release();
    };
    for (let rest = bytes; rest.length > 0; ) {
      const length = this.#fastCdc.cut(rest);
      unreleased++;
      yield { bytes: rest.subarray(0, length), more: length < rest.length, release: releaseOne };
      rest = rest.subarray(length);
    }
    releaseOne();
  }
}
