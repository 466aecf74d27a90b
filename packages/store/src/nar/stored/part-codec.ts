import { concatBytes } from "@tvix/byte-stream";
import { B3_DIGEST_LENGTH, B3Digest, type StoredBlobs } from "@tvix/castore";
import type { StoredPart, StoredParts } from "./parts.ts";

const SYNTAX = 0;
const CHUNK = 1;
const HEAD_BYTES = 5;

/**
 * Parts as bytes: each kind (u8: 0 syntax, 1 chunk), length (u32, big-endian), then syntax, or the digest of a chunk and
 * what the store says of where it lies.
 */
export function encodeParts(parts: StoredParts): Uint8Array {
  return concatBytes(parts.flatMap(piecesOf));
}

function piecesOf(part: StoredPart): readonly Uint8Array[] {
  if ("syntax" in part) return [head(SYNTAX, part.syntax.length), part.syntax];
  const { digest, record } = part.chunk;
  return [head(CHUNK, B3_DIGEST_LENGTH + record.length), digest.bytes, record];
}

function head(kind: number, length: number): Uint8Array {
  return Uint8Array.of(kind, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

/**
 * The parts again, without a copy of the bytes.
 *
 * @throws RangeError for bytes that are none; CastoreError CORRUPT for a chunk that no store has described
 */
export function decodeParts(bytes: Uint8Array, blobs: Pick<StoredBlobs, "chunkAt">): StoredPart[] {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: StoredPart[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = words.getUint8(at);
    const end = at + HEAD_BYTES + words.getUint32(at + 1);
    const body = bytes.subarray(at + HEAD_BYTES, end);
    if (end > bytes.length || kind > CHUNK) throw new RangeError(`no part at ${at}`);
    if (kind === SYNTAX) {
      parts.push({ syntax: body });
    } else {
      const digest = B3Digest.from(body.subarray(0, B3_DIGEST_LENGTH));
      parts.push({ chunk: blobs.chunkAt(digest, body.subarray(B3_DIGEST_LENGTH)) });
    }
    at = end;
  }
  return parts;
}
