import type { ChunkMeta } from "../blob/blob-service.ts";
import { B3_DIGEST_LENGTH, B3Digest } from "../digest/b3-digest.ts";

/** A chunk in a list: its digest and its length (u32, big-endian). */
export const LISTED_CHUNK_BYTES: number = B3_DIGEST_LENGTH + 4;

/** Length of the identifier under which the segments of a list lie. */
export const LIST_ID_BYTES = 12;

/**
 * What is stored under the digest of a blob of several chunks.
 *
 * Layout, integers big-endian: number of chunks (u64), list identifier (12 bytes), number of
 * segments (u32), for each segment the place in the blob of its first byte (u64), and the
 * chunks behind the last segment.
 */
export interface ChunkListRecord {
  /** Number of chunks, segments included. */
  readonly count: number;
  readonly listId: Uint8Array;
  /** Place in the blob of the first byte of each segment, in bytes. */
  readonly segmentOffsets: readonly number[];
  /** Place in the blob of the first byte of the tail. */
  readonly tailOffset: number;
  /** The chunks behind the last segment, encoded. */
  readonly tail: Uint8Array;
}

export function encodeRecord({
  count,
  listId,
  segmentOffsets,
  tailOffset,
  tail,
}: ChunkListRecord): Uint8Array {
  const offsets = [...segmentOffsets, tailOffset];
  const head = 8 + LIST_ID_BYTES + 4 + 8 * offsets.length;
  const record = new Uint8Array(head + tail.length);
  const words = new DataView(record.buffer);
  words.setBigUint64(0, BigInt(count));
  record.set(listId, 8);
  words.setUint32(8 + LIST_ID_BYTES, segmentOffsets.length);
  offsets.forEach((offset, index) => {
    words.setBigUint64(8 + LIST_ID_BYTES + 4 + 8 * index, BigInt(offset));
  });
  record.set(tail, head);
  return record;
}

/**
 * Reads what {@link encodeRecord} wrote; the checksum around it has been verified.
 *
 * @throws RangeError for one that is shorter than it says
 */
export function decodeRecord(record: Uint8Array): ChunkListRecord {
  const words = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const segments = words.getUint32(8 + LIST_ID_BYTES);
  // Before room is made for as many as it claims to have.
  if (8 + LIST_ID_BYTES + 4 + 8 * (segments + 1) > record.length)
    throw new RangeError(`a chunk list of ${record.length} bytes claims to have ${segments} segments`);
  const offsets = Array.from({ length: segments + 1 }, (_, index) =>
    Number(words.getBigUint64(8 + LIST_ID_BYTES + 4 + 8 * index)),
  );
  return {
    count: Number(words.getBigUint64(0)),
    listId: record.subarray(8, 8 + LIST_ID_BYTES),
    segmentOffsets: offsets.slice(0, -1),
    tailOffset: offsets[segments] ?? 0,
    tail: record.subarray(8 + LIST_ID_BYTES + 4 + 8 * offsets.length),
  };
}

/** Chunks gathered for a segment or a tail. */
export class ChunkListBuffer {
  readonly #bytes: Uint8Array;
  readonly #words: DataView;
  #length = 0;

  /** @param capacity chunks it has room for */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity * LISTED_CHUNK_BYTES);
    this.#words = new DataView(this.#bytes.buffer);
  }

  get isFull(): boolean {
    return this.#length === this.#bytes.length;
  }

  push({ digest, size }: ChunkMeta): void {
    this.#bytes.set(digest.bytes, this.#length);
    this.#words.setUint32(this.#length + B3_DIGEST_LENGTH, size);
    this.#length += LISTED_CHUNK_BYTES;
  }

  /** Returns what was gathered, as a copy, and starts anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** The chunks of a segment or a tail. */
export function* decodeChunks(encoded: Uint8Array): Generator<ChunkMeta, void, undefined> {
  const words = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  for (let at = 0; at < encoded.length; at += LISTED_CHUNK_BYTES) {
    const end = at + B3_DIGEST_LENGTH;
    yield { digest: B3Digest.from(encoded.slice(at, end)), size: words.getUint32(end) };
  }
}
