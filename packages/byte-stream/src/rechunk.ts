import type { ByteSource, ByteStream } from "./byte-stream.ts";
import { concatBytes } from "./collect.ts";
import { pieces } from "./pieces.ts";

/**
 * The same bytes in pieces of `size` bytes, of which only the last may be shorter, and
 * none empty. Pieces inside a longer one are views of it.
 *
 * @param size bytes in a piece, at least 1
 * @throws RangeError when `size` is no positive whole number
 */
export async function* rechunk(source: ByteSource, size: number): ByteStream {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`size must be positive, got ${size}`);
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces(source)) {
    let rest = piece;
    while (length + rest.length >= size) {
      const end = size - length;
      yield concatBytes([...held, rest.subarray(0, end)]);
      rest = rest.subarray(end);
      held = [];
      length = 0;
    }
    if (rest.length > 0) {
      held.push(rest);
      length += rest.length;
    }
  }
  if (length > 0) yield concatBytes(held);
}
