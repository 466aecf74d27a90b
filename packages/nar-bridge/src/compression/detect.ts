import { type ByteStream, concatBytes } from "@tvix/byte-stream";
import type { Compression } from "./compression.ts";

/** What streams begin with, in hexadecimal. Brotli begins with anything. */
const BEGINNINGS: readonly (readonly [Compression, string])[] = [
  ["gzip", "1f8b"],
  ["zstd", "28b52ffd"],
  ["xz", "fd377a585a00"],
  ["bzip2", "425a68"],
  // Parameters and the lower half of a window of whole pages, as every encoder writes them.
  ["lzma", "5d0000"],
];

const BEGINNING_BYTES = 6;

/** A stream, and how it is compressed by the look of its first bytes. */
export interface Detected {
  readonly compression: Compression;
  /** All of the bytes. */
  readonly stream: ByteStream;
}

/** Looks at the first bytes of a stream. No NAR begins like a compressed stream. */
export async function detectCompression(stream: ByteStream): Promise<Detected> {
  const iterator = stream[Symbol.asyncIterator]();
  let beginning: Uint8Array = new Uint8Array(0);
  while (beginning.length < BEGINNING_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    beginning = concatBytes([beginning, next.value]);
  }
  const digits = Buffer.from(beginning.subarray(0, BEGINNING_BYTES)).toString("hex");
  const compression = BEGINNINGS.find(([, start]) => digits.startsWith(start))?.[0] ?? "none";
  return { compression, stream: followedBy(beginning, iterator) };
}

async function* followedBy(beginning: Uint8Array, rest: AsyncIterator<Uint8Array>): ByteStream {
  try {
    if (beginning.length > 0) yield beginning;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
