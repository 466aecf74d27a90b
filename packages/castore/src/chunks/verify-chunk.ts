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
  const found = B3Digest.of(bytes);
  if (!found.equals(digest)) throw corrupt(digest, `has contents of digest ${found}`);
  return bytes;
}

function corrupt(digest: B3Digest, fault: string, cause?: unknown): CastoreError {
  return new CastoreError("CORRUPT", `chunk ${digest} ${fault}`, { cause, subject: digest.toString() });
}
