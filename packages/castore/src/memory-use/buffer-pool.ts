/**
 * Buffers of one length that are used again and again, because the garbage collector pays
 * dearly for large ones that live for milliseconds.
 */
export class BufferPool {
  readonly #length: number;
  readonly #kept: number;
  readonly #free: Uint8Array[] = [];

  /**
   * @param length bytes of a buffer
   * @param kept buffers kept for later, at most
   */
  constructor(length: number, kept: number) {
    this.#length = length;
    this.#kept = kept;
  }

  /** A buffer with anything in it. */
  acquire(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.#length);
  }

  /** Takes back a buffer that nobody looks at any more. */
  release(buffer: Uint8Array): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer);
  }
}
