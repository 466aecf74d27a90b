import type { ByteSource, ByteStream } from "./byte-stream.ts";
import { pieces } from "./pieces.ts";

/** The same bytes; `observe` sees each piece before the consumer does. */
export async function* tap(source: ByteSource, observe: (piece: Uint8Array) => void): ByteStream {
  for await (const piece of pieces(source)) {
    observe(piece);
    yield piece;
  }
}
