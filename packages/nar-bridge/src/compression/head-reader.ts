import { type ByteStream, concatBytes } from "@tvix/byte-stream";

/** Reads ahead in a stream as far as a head needs, and passes on pieces as they come. */
export class HeadReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether so many bytes are left. */
  async has(length: number): Promise<boolean> {
    while (this.#held.length < length) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#held = this.#held.length === 0 ? next.value : concatBytes([this.#held, next.value]);
    }
    return true;
  }

  /** The next bytes, which stay. @throws Error when there are not so many */
  async peek(length: number): Promise<Uint8Array> {
    if (!(await this.has(length))) throw new Error("the stream ends in the middle");
    return this.#held.subarray(0, length);
  }

  /** The next bytes, in pieces. @throws Error when there are not so many */
  async *take(length: number): ByteStream {
    for (let left = length; left > 0; ) {
      await this.peek(1);
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** All that is left. */
  async *rest(): ByteStream {
    while (await this.has(1)) {
      const piece = this.#held;
      this.#held = new Uint8Array(0);
      yield piece;
    }
  }
}
