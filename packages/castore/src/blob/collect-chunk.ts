import { type ByteStream, concatBytes } from "@tvix/byte-stream";

/**
 * A chunk as a whole. Of one that is longer than it is listed with, little more than that is taken: the caller
 * compares the lengths.
 *
 * @param size that it is listed with, in bytes
 */
export async function collectChunk(size: number, stream: ByteStream): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    length += piece.length;
    if (length > size) break;
  }
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : concatBytes(pieces);
}
