import type { ByteSource, ByteStream } from "./byte-stream.ts";
import { concatBytes } from "./collect.ts";

/**
 * The same bytes: as one piece when there are few of them, else as a stream. What works on
 * bytes at hand has less to do.
 *
 * @param stream its pieces must stay as they are when the next one is asked for
 * @param maxBytes most bytes held in memory, apart from the piece that goes beyond them
 */
export async function gatherShort(stream: ByteStream, maxBytes: number): Promise<ByteSource> {
  const iterator = stream[Symbol.asyncIterator]();
  const gathered: Uint8Array[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const next = await iterator.next();
    if (next.done === true) return concatBytes(gathered);
    gathered.push(next.value);
    length += next.value.length;
  }
  return followedBy(gathered, iterator);
}

/** Pieces that were taken from an iterator already, and the rest of it. */
export async function* followedBy(
  gathered: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): ByteStream {
  try {
    yield* gathered;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
