import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import { fixedPieces } from "./fixed-pieces.ts";
import { compressLzma, compressXz, LZMA_VERSION } from "./lzma.ts";

/** What is compressed while it is sent. */
export const LIVE_COMPRESSIONS = ["xz", "gzip", "br", "lzma"] as const;

/** One of {@link LIVE_COMPRESSIONS}. */
export type LiveCompression = (typeof LIVE_COMPRESSIONS)[number];

/** Bytes that a compressor is given at a time. */
const PIECE_BYTES = 128 << 10;

const QUALITY = { [constants.BROTLI_PARAM_QUALITY]: 1 };

/** Changes when the same input may be compressed to other bytes. */
const VERSIONS: Readonly<Record<LiveCompression, string>> = {
  xz: LZMA_VERSION,
  lzma: LZMA_VERSION,
  gzip: process.versions.zlib,
  br: process.versions["brotli"] ?? process.version,
};

/** Tells the bytes that {@link compressLive} makes of one source from those of other versions. */
export function liveFormTag(compression: LiveCompression): string {
  return `${compression}-${VERSIONS[compression].replaceAll(/[^0-9a-zA-Z.]/g, "")}`;
}

/**
 * Compresses while the reader reads: quickly rather than well, and the same source to the same
 * bytes each time.
 */
export function compressLive(source: ByteStream, compression: LiveCompression): ByteStream {
  const pieces = fixedPieces(source, PIECE_BYTES);
  if (compression === "xz") return compressXz(pieces);
  if (compression === "lzma") return compressLzma(pieces);
  const transform =
    compression === "gzip" ? createGzip({ level: 1 }) : createBrotliCompress({ params: QUALITY });
  // Whoever reads the transform sees the failure.
  pipeline(Readable.from(pieces, { objectMode: false }), transform).catch(() => {});
  return transform as unknown as ByteStream;
}
