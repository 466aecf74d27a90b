import type { ByteStream } from "@tvix/byte-stream";
import { HeadReader } from "./head-reader.ts";

/** Properties (one byte) and the length of the dictionary (u32, little-endian). */
const HEAD_BYTES = 5;

/** The same bytes of a `.lzma` stream, with its dictionary told before any of it is passed on. */
export async function* watchLzmaHead(
  source: ByteStream,
  onDictionary: (bytes: number) => Promise<void>,
): ByteStream {
  const reader = new HeadReader(source);
  if (await reader.has(HEAD_BYTES)) {
    const head = await reader.peek(HEAD_BYTES);
    const bytes = new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(1, true);
    if (isDictionary(bytes)) await onDictionary(bytes);
  }
  yield* reader.rest();
}

/** 2 or 3 times a power of two, as encoders write it: liblzma takes nothing else for a `.lzma` stream. */
function isDictionary(bytes: number): boolean {
  const highest = 2 ** (31 - Math.clz32(bytes));
  return bytes === 2 ** 32 - 1 || bytes === highest || bytes === highest * 1.5;
}
