import type { StoredChunk } from "../blob/stored-blobs.ts";
import { allocateShortLived } from "../bytes/short-lived.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { ExtentLocation } from "../extents/extents.ts";
import type { EncodedChunk } from "./chunk-codec.ts";

/**
 * What the record of a chunk holds; integers are big-endian.
 *
 * - in the record itself: kind (0 raw, 1 zstd), length of the chunk (u32), the payload;
 * - in an extent: kind (2 raw, 3 zstd), length of the chunk (u32), stored length (u32), number
 *   of the extent (u32), place in it (u64).
 */
const INLINE_HEAD = 5;
const LOCATION_BYTES = 21;
const IN_EXTENT = 2;
const ZSTD = 1;

export function encodeInline({ encoding, size, payload }: EncodedChunk): Uint8Array {
  // Its own memory: a browser's database would store a whole block with it.
  const record = new Uint8Array(INLINE_HEAD + payload.length);
  record[0] = encoding === "zstd" ? ZSTD : 0;
  wordsOf(record).setUint32(1, size);
  record.set(payload, INLINE_HEAD);
  return record;
}

export function encodeLocation({ extent, offset, encoding, size, storedLength }: ExtentLocation): Uint8Array {
  const record = allocateShortLived(LOCATION_BYTES);
  const words = wordsOf(record);
  record[0] = encoding === "zstd" ? IN_EXTENT + ZSTD : IN_EXTENT;
  words.setUint32(1, size);
  words.setUint32(5, storedLength);
  words.setUint32(9, extent);
  words.setBigUint64(13, BigInt(offset));
  return record;
}

/** Where a chunk is, or what there is of it. */
export type ChunkPlace = EncodedChunk | ExtentLocation;

/** A chunk as its record tells of it. @throws CastoreError CORRUPT when the record is no chunk or location */
export function describedChunk(digest: B3Digest, record: Uint8Array): StoredChunk {
  const place = decodeChunkRecord(record, digest);
  const { encoding, size } = place;
  const storedLength = "payload" in place ? place.payload.length : place.storedLength;
  return { digest, encoding, size, storedLength, record };
}

/** @throws CastoreError CORRUPT when the record is no chunk or location */
export function decodeChunkRecord(record: Uint8Array, digest: B3Digest): ChunkPlace {
  const kind = record[0] ?? 0xff;
  const encoding = kind % IN_EXTENT === ZSTD ? "zstd" : "raw";
  const words = wordsOf(record);
  if (kind < IN_EXTENT && record.length >= INLINE_HEAD) {
    return { encoding, size: words.getUint32(1), payload: record.subarray(INLINE_HEAD) };
  }
  if (kind >= IN_EXTENT && kind <= IN_EXTENT + ZSTD && record.length === LOCATION_BYTES) {
    return {
      extent: words.getUint32(9),
      offset: Number(words.getBigUint64(13)),
      encoding,
      size: words.getUint32(1),
      storedLength: words.getUint32(5),
    };
  }
  throw damaged(digest);
}

function wordsOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.byteLength);
}

function damaged(digest: B3Digest): CastoreError {
  const subject = digest.toString();
  return new CastoreError("CORRUPT", `the record of chunk ${subject} is damaged`, { subject });
}
