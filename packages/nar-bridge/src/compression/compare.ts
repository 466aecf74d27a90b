import { Readable } from "node:stream";
import { constants, createZstdCompress } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import { compressXz } from "./lzma.ts";

/** What some NARs take, in bytes, as they are and compressed one by one. */
export interface NarComparison {
  readonly paths: number;
  readonly narBytes: number;
  /** With level 3, the default of zstd. */
  readonly zstdBytes: number;
  /** With level 6, the default of xz. */
  readonly xzBytes: number;
}

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
const XZ_PRESET = 6;

/**
 * Compresses NARs as binary caches of files keep them, to compare what they take.
 *
 * @param nars each makes the stream of one NAR, and is called for each form
 */
export async function compareNars(nars: Iterable<() => ByteStream>): Promise<NarComparison> {
  let [paths, narBytes, zstdBytes, xzBytes] = [0, 0, 0, 0];
  for (const nar of nars) {
    paths++;
    narBytes += await lengthOf(nar());
    zstdBytes += await lengthOf(Readable.from(nar()).compose(createZstdCompress(ZSTD)));
    xzBytes += await lengthOf(compressXz(nar(), XZ_PRESET));
  }
  return { paths, narBytes, zstdBytes, xzBytes };
}

async function lengthOf(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of stream) length += piece.length;
  return length;
}
