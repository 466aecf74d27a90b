import { assertPiece } from "./assert-piece.ts";
import type { ByteSource, ByteStream } from "./byte-stream.ts";

/**
 * Any source as something to iterate over.
 *
 * @throws TypeError in place of a piece that is no Uint8Array
 */
export function pieces(source: ByteSource): ByteStream | Iterable<Uint8Array> {
  return source instanceof Uint8Array ? [source] : checked(source);
}

async function* checked(source: Exclude<ByteSource, Uint8Array>): ByteStream {
  for await (const piece of source) {
    assertPiece(piece);
    yield piece;
  }
}
