import { assertPiece, type ByteSource, type ByteStream } from "@tvix/byte-stream";

/**
 * The same bytes in pieces of up to `size` bytes that a transport may hold on to while the
 * source uses its own memory again: copies of a stream's pieces, views of bytes at hand.
 */
export async function* copied(source: ByteSource, size: number): ByteStream {
  if (source instanceof Uint8Array) {
    for (let start = 0; start < source.length; start += size) yield source.subarray(start, start + size);
    return;
  }
  let buffer: Uint8Array | undefined;
  let length = 0;
  for await (const piece of source) {
    assertPiece(piece);
    for (let rest = piece; rest.length > 0; ) {
      buffer ??= new Uint8Array(size);
      const taken = rest.subarray(0, size - length);
      buffer.set(taken, length);
      length += taken.length;
      rest = rest.subarray(taken.length);
      if (length < size) break;
      yield buffer;
      buffer = undefined;
      length = 0;
    }
  }
  // A short blob does not hold on to a long buffer.
  if (buffer !== undefined) yield buffer.slice(0, length);
}
