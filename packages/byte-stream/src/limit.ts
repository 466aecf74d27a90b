import type { ByteSource, ByteStream } from "./byte-stream.ts";
import { StreamTooLongError } from "./errors.ts";
import { pieces } from "./pieces.ts";

/**
 * The same bytes, up to a limit.
 *
 * @throws StreamTooLongError instead of the piece that goes beyond `maxBytes`
 */
export async function* limitBytes(source: ByteSource, maxBytes: number): ByteStream {
  let length = 0;
  for await (const piece of pieces(source)) {
    length += piece.length;
    if (length > maxBytes) throw new StreamTooLongError(maxBytes);
    yield piece;
  }
}
