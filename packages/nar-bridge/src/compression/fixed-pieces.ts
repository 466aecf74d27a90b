import type { ByteStream } from "@tvix/byte-stream";

/**
 * The same bytes in pieces of one length, the last one being shorter: what some compressors make
 * depends on where their input is cut. A piece is the consumer's own.
 */
export async function* fixedPieces(stream: ByteStream, length: number): ByteStream {
  let piece = new Uint8Array(length);
  let held = 0;
  for await (const bytes of stream) {
    for (let rest = bytes; rest.length > 0; ) {
      const taken = rest.subarray(0, length - held);
      piece.set(taken, held);
      held += taken.length;
      rest = rest.subarray(taken.length);
      if (held < length) break;
      yield piece;
      piece = new Uint8Array(length);
      held = 0;
    }
  }
  if (held > 0) yield piece.subarray(0, held);
}
