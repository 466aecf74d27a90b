import type { ChunkEncoding, EncodedChunk } from "../blob/chunk-codec.ts";
import { allocateShortLived } from "../bytes/short-lived.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";

/** Where a chunk lies in a pack, and how it is stored there. */
export interface PackLocation {
  readonly pack: number;
  /** Place of the record in the pack, in bytes. */
  readonly offset: number;
  readonly encoding: ChunkEncoding;
  /** Length of the chunk itself, in bytes. */
  readonly size: number;
  /** Length of what is stored of it, in bytes. */
  readonly storedLength: number;
}

/**
 * What the record of a chunk holds; integers are big-endian.
 *
 * - in the record itself: kind (0 raw, 1 zstd), length of the chunk (u32), the payload;
 * - in a pack: kind (2 raw, 3 zstd), length of the chunk (u32), stored length (u32), number
 *   of the pack (u32), place in it (u64).
 */
const INLINE_HEAD = 5;
const LOCATION_BYTES = 21;
const IN_PACK = 2;
const ZSTD = 1;

export function encodeInline({ encoding, size, payload }: EncodedChunk): Uint8Array {
  // Its own memory: a browser's database would store a whole block with it.
  const record = new Uint8Array(INLINE_HEAD + payload.length);
  record[0] = encoding === "zstd" ? ZSTD : 0;
  wordsOf(record).setUint32(1, size);
  record.set(payload, INLINE_HEAD);
  return record;
}

export function encodeLocation({ pack, offset, encoding, size, storedLength }: PackLocation): Uint8Array {
  const record = allocateShortLived(LOCATION_BYTES);
  const words = wordsOf(record);
  record[0] = encoding === "zstd" ? IN_PACK + ZSTD : IN_PACK;
  words.setUint32(1, size);
  words.setUint32(5, storedLength);
  words.setUint32(9, pack);
  words.setBigUint64(13, BigInt(offset));
  return record;
}

/** @throws CastoreError CORRUPT when the record is no chunk or location */
export function decodeChunkRecord(record: Uint8Array, digest: B3Digest): EncodedChunk | PackLocation {
  const kind = record[0] ?? 0xff;
  const encoding = kind % IN_PACK === ZSTD ? "zstd" : "raw";
  const words = wordsOf(record);
  if (kind < IN_PACK && record.length >= INLINE_HEAD) {
    return { encoding, size: words.getUint32(1), payload: record.subarray(INLINE_HEAD) };
  }
  if (kind >= IN_PACK && kind <= IN_PACK + ZSTD && record.length === LOCATION_BYTES) {
    return {
      pack: words.getUint32(9),
      offset: Number(words.getBigUint64(13)),
      encoding,
      size: words.getUint32(1),
      storedLength: words.getUint32(5),
    };
  }
  throw damaged(digest);
}

/** @throws CastoreError CORRUPT when the record does not hold the chunk itself */
export function decodeInline(record: Uint8Array, digest: B3Digest): EncodedChunk {
  const decoded = decodeChunkRecord(record, digest);
  if (!("payload" in decoded)) throw damaged(digest);
  return decoded;
}

function wordsOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.byteLength);
}

function damaged(digest: B3Digest): CastoreError {
  const subject = digest.toString();
  return new CastoreError("CORRUPT", `the record of chunk ${subject} is damaged`, { subject });
}
