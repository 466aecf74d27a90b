import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";
import { xz } from "@napi-rs/lzma";
import type { ByteStream } from "@tvix/byte-stream";

/** What is compressed while it is sent. */
export type LiveCompression = "xz" | "gzip" | "br";

const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 1 };

/** Compresses while the reader reads: quickly rather than well. */
export function compressLive(source: ByteStream, compression: LiveCompression): ByteStream {
  const readable = Readable.from(source, { objectMode: false });
  if (compression === "xz") {
    return xz.compressStream(Readable.toWeb(readable), { preset: 0 }) as unknown as ByteStream;
  }
  const transform =
    compression === "gzip" ? createGzip({ level: 1 }) : createBrotliCompress({ params: QUALITY });
  // Whoever reads the transform sees the failure.
  pipeline(readable, transform).catch(() => {});
  return transform as unknown as ByteStream;
}
