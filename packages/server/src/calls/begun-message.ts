/** The least that is made room for, in bytes. */
const LEAST_BYTES = 4 << 10;

/**
 * What has come of a message: in memory that grows with it, is used again for the next one, and is given back at once,
 * not when the garbage collector comes by.
 */
export class BegunMessage {
  #bytes = new Uint8Array(0);
  #length = 0;

  /** How much there is, in bytes. */
  get length(): number {
    return this.#length;
  }

  /** What there is, until something is added or cleared. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Takes a copy. The memory is at most twice as long as what there is, or has been. */
  add(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#bytes.length) {
      const room = Math.max(LEAST_BYTES, needed, 2 * this.#bytes.length);
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(room));
    }
    this.#bytes.set(piece, this.#length);
    this.#length = needed;
  }

  /** Makes it empty; its memory stays for what comes next. */
  clear(): void {
    this.#length = 0;
  }

  /** Gives its memory back. */
  release(): void {
    this.#bytes.buffer.transfer(0);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
  }
}
