import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { ChunkCodec, EncodedChunk } from "./chunk-codec.ts";

/**
 * The bytes of a stored chunk, checked against its digest.
 *
 * @throws CastoreError CORRUPT when they do not decode, or have another digest
 */
export async function decodeVerified(
  codec: ChunkCodec,
  digest: B3Digest,
  stored: EncodedChunk,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await codec.decode(stored);
  } catch (cause) {
    throw corrupt(digest, "cannot be decoded", cause);
  }
  checkContents(digest, bytes);
  return bytes;
}

/**
 * The same bytes, written to a place that is as long as they are. On failure it may hold anything.
 *
 * @throws CastoreError CORRUPT also when they have another length
 */
export async function decodeVerifiedInto(
  place: Uint8Array,
  codec: ChunkCodec,
  digest: B3Digest,
  stored: EncodedChunk,
): Promise<void> {
  const take = (bytes: Uint8Array) => {
    checkContents(digest, bytes);
    writeTo(place, digest, bytes);
  };
  if (codec.lend === undefined) {
    writeTo(place, digest, await decodeVerified(codec, digest, stored));
    return;
  }
  try {
    await codec.lend(stored, take);
  } catch (cause) {
    throw CastoreError.is(cause) ? cause : corrupt(digest, "cannot be decoded", cause);
  }
}

/** @throws CastoreError CORRUPT when the place has not the length of the chunk */
export function writeTo(place: Uint8Array, digest: B3Digest, bytes: Uint8Array): void {
  if (bytes.length !== place.length) {
    throw corrupt(digest, `has ${bytes.length} bytes, and was described with ${place.length}`);
  }
  place.set(bytes);
}

function checkContents(digest: B3Digest, bytes: Uint8Array): void {
  const found = B3Digest.of(bytes);
  if (!found.equals(digest)) throw corrupt(digest, `has contents of digest ${found}`);
}

function corrupt(digest: B3Digest, fault: string, cause?: unknown): CastoreError {
  return new CastoreError("CORRUPT", `chunk ${digest} ${fault}`, { cause, subject: digest.toString() });
}
