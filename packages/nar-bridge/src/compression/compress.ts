import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import { compressXz } from "./xz.ts";

/** What is compressed while it is sent. */
export type LiveCompression = "xz" | "gzip" | "br";

const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 1 };

/** Compresses while the reader reads: quickly rather than well. */
export function compressLive(source: ByteStream, compression: LiveCompression): ByteStream {
  if (compression === "xz") return compressXz(source);
  const transform =
    compression === "gzip" ? createGzip({ level: 1 }) : createBrotliCompress({ params: QUALITY });
  // Whoever reads the transform sees the failure.
  pipeline(Readable.from(source, { objectMode: false }), transform).catch(() => {});
  return transform as unknown as ByteStream;
}
