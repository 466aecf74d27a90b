import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";
import { asItIs, type ChunkCodec } from "@tvix/castore/backend";
import { SLOT_BYTES, type ZstdPool } from "./zstd-pool.ts";

/** Below this length a frame never pays. */
const LEAST_COMPRESSED = 64;

/** Up to this length the thread pool costs more than it gives. */
const ON_THE_SPOT = 16 << 10;

const decompress = promisify(zstdDecompress);

/** Stores each chunk as one zstd frame, or raw where that does not pay. */
export function zstdCodec(pool: ZstdPool): ChunkCodec {
  return {
    encode(bytes, release) {
      if (bytes.length < LEAST_COMPRESSED || bytes.length > SLOT_BYTES) return asItIs(bytes);
      return pool.encode(bytes, release);
    },
    async decode({ encoding, size, payload }) {
      if (encoding === "raw") return exactly(payload, size);
      // A frame that decodes to more than it should fails instead of filling memory.
      // One byte of room to spare tells the decoder that it is done: it does not ask for more.
      const options = { chunkSize: Math.max(size + 1, 64), maxOutputLength: Math.max(size, 1) };
      const bytes =
        size <= ON_THE_SPOT ? zstdDecompressSync(payload, options) : await decompress(payload, options);
      // A short Buffer may be a part of a long one that many share, and would keep all of it.
      const isShared = bytes.buffer.byteLength > bytes.byteLength + 64;
      return exactly(isShared ? new Uint8Array(bytes) : viewOf(bytes), size);
    },
  };
}

/** The same memory without the methods of Buffer. */
function viewOf({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`chunk decodes to ${bytes.length} bytes, expected ${size}`);
  return bytes;
}
