import type { ByteSource, ByteStream } from "@tvix/byte-stream";

/**
 * The same bytes in pieces of `size` bytes, of which the last may be shorter, in memory of
 * their own: a transport may hold on to them while the source uses its own again.
 */
export async function* copied(source: ByteSource, size: number): ByteStream {
  let buffer: Uint8Array | undefined;
  let length = 0;
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
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
