import type { ByteSource, ByteStream } from "./byte-stream.ts";
import { copyBytes, plainBytes } from "./byte-string.ts";
import { StreamEndedError } from "./errors.ts";
import { pieces } from "./pieces.ts";

const NOTHING = new Uint8Array(0);

/**
 * Reads exact numbers of bytes from a stream. Pieces are not copied where one suffices: what
 * is read then is a view of it, and as long valid as the piece is.
 */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #held: Uint8Array = NOTHING;
  #position = 0;

  constructor(source: ByteSource) {
    const iterable = pieces(source);
    this.#iterator =
      Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /**
   * The next `length` bytes.
   *
   * @param length held in memory, so the caller bounds it
   * @throws StreamEndedError when fewer are left
   */
  async read(length: number): Promise<Uint8Array> {
    const atHand = this.readNow(length);
    if (atHand !== undefined) return atHand;
    const front: Uint8Array[] = [];
    let found = 0;
    let whole: Uint8Array | undefined;
    while (found < length) {
      const part = await this.#take(length - found);
      if (part === undefined) throw new StreamEndedError(length, found);
      if (part.length === length) return part;
      // Who announces much and sends little does not get memory for all of it.
      if (whole === undefined && 2 * (found + part.length) >= length) whole = join(front, length);
      // The memory of a piece may be used again when the next one is asked for.
      if (whole === undefined) front.push(copyBytes(part));
      else whole.set(part, found);
      found += part.length;
    }
    return whole ?? NOTHING;
  }

  /** The next `length` bytes when they are at hand in one piece; undefined otherwise. */
  readNow(length: number): Uint8Array | undefined {
    if (this.#held.length < length) return undefined;
    return this.#consume(length);
  }

  /** From 1 to `most` bytes: what is at hand, or else the next piece; none at the end. */
  async readSome(most: number): Promise<Uint8Array> {
    return (await this.#take(most)) ?? NOTHING;
  }

  /**
   * The next `length` bytes in the pieces in which they arrive. To be consumed before the
   * next read.
   *
   * @throws StreamEndedError when fewer are left
   */
  async *stream(length: number): ByteStream {
    let found = 0;
    while (found < length) {
      const part = await this.#take(length - found);
      if (part === undefined) throw new StreamEndedError(length, found);
      found += part.length;
      yield part;
    }
  }

  /** Whether every byte has been read. Waits for the next piece to know. */
  async atEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Tells the source that no more will be read. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #take(most: number): Promise<Uint8Array | undefined> {
    if (!(await this.#fill())) return undefined;
    return this.#consume(most);
  }

  /** Up to so many bytes of those at hand. */
  #consume(most: number): Uint8Array {
    const part = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(part.length);
    this.#position += part.length;
    return part;
  }

  /** Whether a byte is at hand after looking for one. */
  async #fill(): Promise<boolean> {
    while (this.#held.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return false;
      this.#held = plainBytes(next.value);
    }
    return true;
  }
}

/** Pieces at the beginning of memory of some length. */
function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}
