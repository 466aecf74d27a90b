import { type ByteStream, concatBytes, copyBytes } from "@tvix/byte-stream";

/** Shorter pieces are gathered: each write costs about as much as copying that much. */
const SHORT_BYTES = 16 << 10;

/** Gathered pieces go out when there is that much of them. */
const GATHERED_BYTES = 64 << 10;

/**
 * The same bytes in fewer pieces: short ones are put together, long ones passed on as they are. Whoever makes the pieces
 * may use their memory again as soon as the next one is asked for.
 */
export async function* gatherPieces(stream: ByteStream): ByteStream {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    if (piece.length < SHORT_BYTES) {
      held.push(copyBytes(piece));
      length += piece.length;
      if (length < GATHERED_BYTES) continue;
    }
    if (length > 0) yield concatBytes(held);
    if (piece.length >= SHORT_BYTES) yield piece;
    held = [];
    length = 0;
  }
  if (length > 0) yield concatBytes(held);
}
