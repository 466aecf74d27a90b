import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";
import { concatBytes, copyBytes } from "@tvix/byte-stream";
import type { EncodedChunk } from "@tvix/castore";
import { asItIs, type ChunkCodec } from "@tvix/castore/backend";
import { DecompressorPool } from "./decompressor-pool.ts";
import { FrameDecompressor } from "./frame-decompressor.ts";
import { SLOT_BYTES, type ZstdPool } from "./zstd-pool.ts";

/** Below this length a frame never pays. */
const LEAST_COMPRESSED = 64;

/** Up to this length the thread pool costs more than it gives. */
const ON_THE_SPOT = 64 << 10;

const decompress = promisify(zstdDecompress);

/** Stores each chunk as one zstd frame, or raw where that does not pay. */
export function zstdCodec(pool: ZstdPool): ChunkCodec {
  const short = new FrameDecompressor();
  const long = new DecompressorPool();

  /** Decodes, and has the bytes looked at, which may lie in memory that is used again. */
  async function lend<T>(
    { encoding, size, payload }: EncodedChunk,
    use: (bytes: Uint8Array) => T,
  ): Promise<T> {
    if (encoding === "raw") return use(exactly(payload, size));
    if (size <= ON_THE_SPOT) {
      // A frame may come in two pieces, where one block of output ends and the next begins.
      const pieces = short.decompress(payload, size);
      if (pieces !== undefined) return use(concatBytes(pieces));
    } else if (long.takes(payload, size)) {
      return await long.lend(payload, (bytes) => use(exactly(bytes, size)));
    }
    return use(exactly(await decompressAlone(payload, size), size));
  }

  return {
    encode(bytes, release) {
      if (bytes.length < LEAST_COMPRESSED || bytes.length > SLOT_BYTES) return asItIs(bytes);
      return pool.encode(bytes, release);
    },
    lend,
    async decode(chunk) {
      return chunk.encoding === "raw" ? exactly(chunk.payload, chunk.size) : await lend(chunk, copyBytes);
    },
  };
}

/** Decompresses with a decompressor of its own. */
async function decompressAlone(frame: Uint8Array, size: number): Promise<Uint8Array> {
  // A frame that decodes to more than it should fails instead of filling memory.
  // One byte of room to spare tells the decoder that it is done: it does not ask for more.
  const options = { chunkSize: Math.max(size + 1, 64), maxOutputLength: Math.max(size, 1) };
  return size <= ON_THE_SPOT ? zstdDecompressSync(frame, options) : await decompress(frame, options);
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`chunk decodes to ${bytes.length} bytes, expected ${size}`);
  return bytes;
}
