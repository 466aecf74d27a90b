import { B3_DIGEST_LENGTH, B3Digest } from "../digest/b3-digest.ts";

/** A directory that waits for the end of its upload. */
export interface StagedDirectory {
  readonly digest: B3Digest;
  /** Its canonical encoding. */
  readonly encoded: Uint8Array;
}

/** Length of an encoding (u32, big-endian). */
const LENGTH_BYTES = 4;

/** What a directory takes in a list, beside its encoding. */
const HEAD_BYTES = B3_DIGEST_LENGTH + LENGTH_BYTES;

/** Room that there is at first, in bytes: most uploads have few directories. */
const FIRST_BYTES = 1024;

/**
 * Directories one behind the other, without an object for each: of each the digest, the length of its encoding, and
 * that.
 */
export class StagedList {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** In bytes. */
  get length(): number {
    return this.#length;
  }

  add({ digest, encoded }: StagedDirectory): void {
    const end = this.#length + HEAD_BYTES + encoded.length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(digest.bytes, this.#length);
    new DataView(this.#bytes.buffer).setUint32(this.#length + B3_DIGEST_LENGTH, encoded.length);
    this.#bytes.set(encoded, this.#length + HEAD_BYTES);
    this.#length = end;
  }

  /** All of it; it is empty then. */
  take(): Uint8Array {
    // What a long directory has made room for is handed over with it, and not kept.
    const isFull = this.#length === this.#bytes.length;
    const list = isFull ? this.#bytes : this.#bytes.slice(0, this.#length);
    if (isFull) this.#bytes = new Uint8Array(FIRST_BYTES);
    this.#length = 0;
    return list;
  }

  #grow(least: number): void {
    const bytes = new Uint8Array(Math.max(least, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** The directories of a list, each a view of its bytes. @throws RangeError for what is no such list */
export function* splitStaged(list: Uint8Array): Generator<StagedDirectory, void, undefined> {
  const words = new DataView(list.buffer, list.byteOffset, list.byteLength);
  for (let at = 0; at < list.length; ) {
    const begin = at + HEAD_BYTES;
    const end = begin + words.getUint32(at + B3_DIGEST_LENGTH);
    if (end > list.length) throw new RangeError(`a directory ends at ${end} of ${list.length} bytes`);
    yield {
      digest: B3Digest.from(list.subarray(at, at + B3_DIGEST_LENGTH)),
      encoded: list.subarray(begin, end),
    };
    at = end;
  }
}
