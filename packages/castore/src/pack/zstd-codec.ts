import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import type { ChunkCodec, EncodedChunk } from "../blob/chunk-codec.ts";

/** Below this length a frame never pays. */
const LEAST_COMPRESSED = 64;

/** Up to this length the thread pool costs more than it gives. */
const ON_THE_SPOT = 16 << 10;

/** A frame is kept when it saves at least one byte in so many. */
const LEAST_GAIN = 32;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/**
 * Stores each chunk as one zstd frame, or raw where that does not pay. Long chunks are worked
 * on in the thread pool.
 *
 * @param level 1 (fast) to 19 (small)
 */
export function zstdCodec(level: number): ChunkCodec {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return {
    async encode(bytes) {
      if (bytes.length < LEAST_COMPRESSED) return raw(bytes);
      const options = { params, pledgedSrcSize: bytes.length };
      const frame =
        bytes.length <= ON_THE_SPOT
          ? zstdCompressSync(bytes, options)
          : await compress(bytes, { ...options, chunkSize: bytes.length });
      if (frame.length > bytes.length - bytes.length / LEAST_GAIN) return raw(bytes);
      return { encoding: "zstd", size: bytes.length, payload: frame };
    },
    async decode({ encoding, size, payload }) {
      if (encoding === "raw") return exactly(payload, size);
      // A frame that decodes to more than it should fails instead of filling memory.
      const options = { chunkSize: Math.max(size, 64), maxOutputLength: Math.max(size, 1) };
      const bytes =
        size <= ON_THE_SPOT ? zstdDecompressSync(payload, options) : await decompress(payload, options);
      return exactly(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), size);
    },
  };
}

function raw(bytes: Uint8Array): EncodedChunk {
  return { encoding: "raw", size: bytes.length, payload: bytes };
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`chunk decodes to ${bytes.length} bytes, expected ${size}`);
  return bytes;
}
