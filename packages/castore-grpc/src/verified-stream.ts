import { type ByteReader, type ByteStream, concatBytes } from "@tvix/byte-stream";
import { B3Digest, CastoreError, type ChunkMeta } from "@tvix/castore";
import { digestsSettling } from "@tvix/castore/backend";

/** Bytes of a stream without a chunk list that are passed on at once. */
const PIECE_BYTES = 256 << 10;

/** Longest chunk that is held in memory to be compared. */
const HELD_CHUNK_BYTES = 16 << 20;

/** The next bytes of a stream: `most` of them, or all that are left. */
export async function readUpTo(reader: ByteReader, most: number): Promise<Uint8Array> {
  return concatBytes(await readPieces(reader, most));
}

/** The same as views of the messages in which they come, whose memory is not used again. */
async function readPieces(reader: ByteReader, most: number): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < most && !(await reader.atEnd())) {
    const piece = await reader.readSome(most - length);
    pieces.push(piece);
    length += piece.length;
  }
  return pieces;
}

/**
 * A blob at hand, compared with its digest.
 *
 * @throws CastoreError CORRUPT when it has another
 */
export async function verifyWhole(
  digest: B3Digest,
  bytes: Uint8Array,
  reader: ByteReader,
): Promise<ByteStream> {
  await reader.close();
  checkDigest(digest, B3Digest.of(bytes));
  return piecesOf(bytes.length === 0 ? [] : [bytes]);
}

/**
 * A blob that arrives, compared chunk by chunk, and as a whole before its last chunk is
 * passed on. Without chunks the whole is compared at the end.
 *
 * @param head its first bytes, read from `reader` already
 */
export async function* verifyByChunks(
  digest: B3Digest,
  head: Uint8Array,
  reader: ByteReader,
  chunks: readonly ChunkMeta[],
): ByteStream {
  await digestsSettling();
  const hasher = B3Digest.createHasher();
  const source = new Prefixed(head, reader);
  try {
    for (const [index, chunk] of chunks.entries()) {
      if (chunk.size > HELD_CHUNK_BYTES) {
        throw new CastoreError("INVALID_RESPONSE", `chunks[${index}].size: ${chunk.size} is too large`);
      }
      const pieces = await source.read(chunk.size);
      for (const piece of pieces) hasher.update(piece);
      checkDigest(chunk.digest, digestOf(pieces));
      if (index === chunks.length - 1) {
        if ((await source.read(1)).length > 0) throw corrupt(digest, "peer sent more than it lists");
        checkDigest(digest, B3Digest.finish(hasher));
      }
      yield* pieces;
    }
    if (chunks.length > 0) return;
    for (
      let pieces = await source.read(PIECE_BYTES);
      pieces.length > 0;
      pieces = await source.read(PIECE_BYTES)
    ) {
      for (const piece of pieces) hasher.update(piece);
      yield* pieces;
    }
    checkDigest(digest, B3Digest.finish(hasher));
  } finally {
    await reader.close();
  }
}

/** Bytes read from a stream, put back in front of it. */
class Prefixed {
  #head: Uint8Array;
  readonly #reader: ByteReader;

  constructor(head: Uint8Array, reader: ByteReader) {
    this.#head = head;
    this.#reader = reader;
  }

  /** The next `length` bytes, fewer at the end, none behind it. */
  async read(length: number): Promise<Uint8Array[]> {
    const front = this.#head.subarray(0, length);
    this.#head = this.#head.subarray(front.length);
    const rest = await readPieces(this.#reader, length - front.length);
    return front.length === 0 ? rest : [front, ...rest];
  }
}

function digestOf(pieces: readonly Uint8Array[]): B3Digest {
  const [first = new Uint8Array(), ...others] = pieces;
  if (others.length === 0) return B3Digest.of(first);
  const hasher = B3Digest.createHasher();
  for (const piece of pieces) hasher.update(piece);
  return B3Digest.finish(hasher);
}

function checkDigest(expected: B3Digest, found: B3Digest): void {
  if (!found.equals(expected)) throw corrupt(expected, `peer sent bytes of digest ${found}`);
}

function corrupt(digest: B3Digest, fault: string): CastoreError {
  const subject = digest.toString();
  return new CastoreError("CORRUPT", `${subject}: ${fault}`, { subject });
}

async function* piecesOf(pieces: readonly Uint8Array[]): ByteStream {
  yield* pieces;
}
