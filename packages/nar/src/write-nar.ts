import { escapeBytes } from "@tvix/byte-stream";
import type { NarEntry, NarFile } from "./entry.ts";
import { invalidEntry } from "./layout.ts";
import { narSegments, type WriteNarOptions } from "./segments.ts";

/** Small parts are put together to pieces of this length. */
const PIECE_BYTES = 64 << 10;

/** A longer piece of contents is passed on as it is, not copied. */
const COPIED_BYTES = 16 << 10;

/**
 * Writes a NAR: the only bytes that this sequence of entries has. In memory that does not
 * grow, contents of files passed through.
 *
 * @throws NarError INVALID_ENTRY for names, targets, sizes or an order that no NAR has, also
 *   when contents are shorter or longer than their size; LIMIT_EXCEEDED when it is too deep
 */
export async function* writeNar(
  entries: AsyncIterable<NarEntry> | Iterable<NarEntry>,
  options: WriteNarOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const gathered = new Gathered();
  for await (const segment of narSegments<NarFile>(entries, options)) {
    if (segment instanceof Uint8Array) yield* gathered.add(segment);
    else yield* contentsOf(segment, gathered);
  }
  yield* gathered.rest();
}

async function* contentsOf(
  { name, size, contents }: NarFile,
  gathered: Gathered,
): AsyncGenerator<Uint8Array, void, undefined> {
  let length = 0;
  for await (const piece of contents instanceof Uint8Array ? [contents] : contents) {
    length += piece.length;
    if (length > size) break;
    yield* gathered.add(piece);
  }
  if (length === size) return;
  const found = length > size ? "more" : `only ${length}`;
  throw invalidEntry(`the file ${escapeBytes(name)} has ${found} bytes, not ${size}`);
}

/** Puts small parts together, so that whoever takes the pieces has few of them. */
class Gathered {
  #piece = new Uint8Array(PIECE_BYTES);
  #length = 0;

  /** Takes the next part; yields what is complete. */
  *add(part: Uint8Array): Generator<Uint8Array, void, undefined> {
    if (part.length > COPIED_BYTES) {
      yield* this.rest();
      yield part;
      return;
    }
    if (this.#length + part.length > PIECE_BYTES) yield* this.rest();
    this.#piece.set(part, this.#length);
    this.#length += part.length;
  }

  /** What has not been yielded yet. */
  *rest(): Generator<Uint8Array, void, undefined> {
    const length = this.#length;
    if (length === 0) return;
    this.#length = 0;
    const whole = this.#piece;
    // Whoever takes a piece may keep it: a short one does not hold on to a long buffer.
    if (length < PIECE_BYTES / 2) {
      yield whole.slice(0, length);
    } else {
      this.#piece = new Uint8Array(PIECE_BYTES);
      yield whole.subarray(0, length);
    }
  }
}
