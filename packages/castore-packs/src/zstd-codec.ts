import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";
import { concatBytes } from "@tvix/byte-stream";
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

  return {
    encode(bytes, release) {
      if (bytes.length < LEAST_COMPRESSED || bytes.length > SLOT_BYTES) return asItIs(bytes);
      return pool.encode(bytes, release);
    },
    async decode({ encoding, size, payload }) {
      if (encoding === "raw") return exactly(payload, size);
      const pieces = size <= ON_THE_SPOT ? short.decompress(payload, size) : undefined;
      // A frame may come in two pieces, where one block of output ends and the next begins.
      if (pieces !== undefined) return unshared(concatBytes(pieces));
      // One that is long is decompressed into memory of its own: to copy it there costs more than the pool gives.
      return unshared(exactly(await decompressAlone(payload, size), size));
    },
    async lend(chunk, use) {
      const { encoding, size, payload } = chunk;
      if (encoding === "raw" || size <= ON_THE_SPOT || !long.takes(payload, size))
        return use(await this.decode(chunk));
      return await long.lend(payload, (bytes) => use(exactly(bytes, size)));
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

/** Without the methods of Buffer. One that is a part of a long Buffer would keep all of it, so it is copied. */
function unshared(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  const isShared = buffer.byteLength > byteLength + 64;
  return isShared ? new Uint8Array(bytes) : new Uint8Array(buffer, byteOffset, byteLength);
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`chunk decodes to ${bytes.length} bytes, expected ${size}`);
  return bytes;
}
