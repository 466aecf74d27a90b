import { ByteReader, type ByteSource, equalBytes, escapeBytes, StreamEndedError } from "@tvix/byte-stream";
import { NarError } from "../errors.ts";
import { NAR_TAG_MAX_BYTES } from "../limits.ts";
import { padded, WORD_BYTES } from "./tokens.ts";

/** Reads the words of a NAR; what is wrong is told with its place in the NAR. */
export class WordReader {
  readonly #bytes: ByteReader;

  constructor(source: ByteSource) {
    this.#bytes = new ByteReader(source);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#bytes.position;
  }

  /** Tells the source that no more will be read. */
  async close(): Promise<void> {
    await this.#bytes.close();
  }

  /** Reads words that must be exactly these. */
  async expect(token: Uint8Array, what: string): Promise<void> {
    const at = this.position;
    const found = await this.#read(token.length);
    if (!equalBytes(found, token)) throw invalid(at, `expected ${what}, found ${escapeBytes(found)}`);
  }

  /** Makes sure that nothing is left. */
  async expectEnd(): Promise<void> {
    if (!(await this.#bytes.atEnd())) throw invalid(this.position, "something comes behind the archive");
  }

  /** Reads a keyword, including its padding, as it stands. */
  async keyword(): Promise<string> {
    const at = this.position;
    const length = await this.length();
    if (length > NAR_TAG_MAX_BYTES) throw invalid(at, `a keyword of ${length} bytes`);
    return String.fromCharCode(...(await this.#padded(length)));
  }

  /**
   * Reads a string.
   *
   * @param maxBytes a longer one is refused before it is read
   */
  async string(what: string, maxBytes: number): Promise<Uint8Array> {
    const at = this.position;
    const length = await this.length();
    if (length > maxBytes) {
      const text = `${what} of ${length} bytes, at byte ${at}, is longer than ${maxBytes}`;
      throw new NarError("LIMIT_EXCEEDED", text);
    }
    return await this.#padded(length);
  }

  /** Reads the length of a string. */
  async length(): Promise<number> {
    const at = this.position;
    const word = await this.#read(WORD_BYTES);
    const words = new DataView(word.buffer, word.byteOffset, WORD_BYTES);
    const length = words.getUint32(0, true) + words.getUint32(4, true) * 2 ** 32;
    // 9 PB, and 9 PB less than what numbers can hold when positions are added up.
    if (length <= Number.MAX_SAFE_INTEGER / 2) return length;
    throw new NarError("LIMIT_EXCEEDED", `the length at byte ${at} is larger than any file`);
  }

  /** Bytes of a string whose length has been read, as one piece. Its padding comes next. */
  async whole(length: number): Promise<Uint8Array> {
    return await this.#read(length);
  }

  /** The same in pieces as they arrive. */
  async *pieces(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#bytes.stream(length);
    } catch (error) {
      throw this.#truncated(error);
    }
  }

  /** Reads the padding of a string of this length. */
  async padding(length: number): Promise<void> {
    const at = this.position;
    const padding = await this.#read(padded(length) - length);
    if (padding.some((byte) => byte !== 0)) throw invalid(at, "padding is not zero");
  }

  async #padded(length: number): Promise<Uint8Array> {
    const at = this.position;
    const bytes = await this.#read(padded(length));
    for (let index = length; index < bytes.length; index++) {
      if (bytes[index] !== 0) throw invalid(at + length, "padding is not zero");
    }
    return bytes.subarray(0, length);
  }

  async #read(length: number): Promise<Uint8Array> {
    const atHand = this.#bytes.readNow(length);
    if (atHand !== undefined) return atHand;
    try {
      return await this.#bytes.read(length);
    } catch (error) {
      throw this.#truncated(error);
    }
  }

  #truncated(error: unknown): unknown {
    if (!(error instanceof StreamEndedError)) return error;
    return new NarError("TRUNCATED_NAR", `the NAR ends at byte ${this.position}, and is not complete`, {
      cause: error,
    });
  }
}

/** What the NAR has at a place, and should not. */
export function invalid(at: number, why: string): NarError {
  return new NarError("INVALID_NAR", `not a NAR: at byte ${at}: ${why}`);
}
