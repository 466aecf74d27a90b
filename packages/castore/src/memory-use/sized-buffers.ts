import { BufferPool } from "./buffer-pool.ts";

/** Buffers of a few lengths that are used again, for what is sometimes long and sometimes short. */
export class SizedBuffers {
  readonly #lengths: readonly number[];
  readonly #pools: ReadonlyMap<number, BufferPool>;

  /**
   * @param lengths in bytes, ascending, each twice the one before, so that no buffer is left half empty
   * @param kept buffers of each length kept for later, at most
   */
  constructor(lengths: readonly number[], kept: number) {
    this.#lengths = lengths;
    this.#pools = new Map(lengths.map((length) => [length, new BufferPool(length, kept)]));
  }

  /**
   * A buffer with anything in it, of so many bytes or up to twice as many. What is longer than the longest of them, or
   * not half as long as the shortest, gets memory of its own.
   */
  acquire(length: number): Uint8Array {
    const fitting = this.#lengths.find((each) => each >= length);
    const pool = fitting === undefined || length < fitting / 2 ? undefined : this.#pools.get(fitting);
    return pool?.acquire() ?? new Uint8Array(length);
  }

  /** Takes back a buffer, as it was acquired, that nobody looks at any more. */
  release(buffer: Uint8Array): void {
    this.#pools.get(buffer.length)?.release(buffer);
  }
}
