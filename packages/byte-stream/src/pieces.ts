import type { ByteSource, ByteStream } from "./byte-stream.ts";

/** Any source as something to iterate over. */
export function pieces(source: ByteSource): ByteStream | Iterable<Uint8Array> {
  return source instanceof Uint8Array ? [source] : source;
}
