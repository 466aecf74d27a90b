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

  /**
   * How much memory there will be when so many more bytes have come: at most twice what has come, or has come before, and no
   * more than the message needs.
   *
   * @param whole length of the message as a whole, as far as that is known
   */
  roomFor(more: number, whole: number | undefined): number {
    const needed = this.#length + more;
    const had = this.#bytes.length;
    if (needed <= had) return had;
    return Math.max(needed, Math.min(Math.max(LEAST_BYTES, 2 * had), whole ?? Number.POSITIVE_INFINITY));
  }

  /** Takes a copy. @param whole as for {@link roomFor} */
  add(piece: Uint8Array, whole?: number): void {
    const room = this.roomFor(piece.length, whole);
    if (room > this.#bytes.length) this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(room));
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
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
