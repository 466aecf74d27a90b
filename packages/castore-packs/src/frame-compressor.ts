import { constants } from "node:zlib";
import { ZstdCompress } from "minizlib";

/**
 * Output that is allocated at a time, in bytes. A frame that may not fit into what is left of
 * it takes a way through buffers inside of zstd, so several should fit.
 */
const OUTPUT_BYTES = 1 << 20;

/**
 * Compresses chunk after chunk, each as one zstd frame that gives its length, with one
 * compressor: to make one for each takes longer than to compress a small chunk.
 *
 * Node has that only for streams, which answer later; minizlib has it on the spot.
 */
export class FrameCompressor {
  readonly #zstd: ZstdCompress;
  #frame: Uint8Array[] = [];

  /** @param level zstd level, from 1 to 19 */
  constructor(level: number) {
    const options = {
      params: { [constants.ZSTD_c_compressionLevel]: level },
      // Whatever is written is a whole frame.
      flush: constants.ZSTD_e_end,
      chunkSize: OUTPUT_BYTES,
    };
    this.#zstd = new ZstdCompress(options);
    this.#zstd.on("data", (piece) => this.#frame.push(piece));
  }

  /** The frame of a chunk that is not empty, in one piece or a few. */
  compress(chunk: Uint8Array): readonly Uint8Array[] {
    this.#frame = [];
    this.#zstd.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    return this.#frame;
  }
}
