import { constants } from "node:zlib";
import { ZstdDecompress } from "minizlib";
import { BLOCK_MAX_BYTES, frameBlocks } from "./frame-blocks.ts";

/** Output that is allocated at a time, in bytes. */
const OUTPUT_BYTES = 256 << 10;

/**
 * Decompresses frames, one after the other, with one decompressor: to make one for each takes longer than to decompress
 * a frame of some KiB. See `FrameCompressor` for why this is minizlib.
 */
export class FrameDecompressor {
  #zstd: ZstdDecompress | undefined;
  #pieces: Uint8Array[] = [];

  /**
   * What a frame holds, in pieces of its own; undefined where that is not so many bytes, or nothing can be told: ask a
   * decompressor that is made for it then.
   */
  decompress(frame: Uint8Array, size: number): readonly Uint8Array[] | undefined {
    // Anything but a whole frame might leave the decompressor waiting, and what it waits for be taken from the next one.
    const blocks = frameBlocks(frame);
    if (blocks === undefined || blocks > size / BLOCK_MAX_BYTES + 2) return undefined;
    this.#zstd ??= this.#start();
    this.#pieces = [];
    this.#zstd.write(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
    const pieces = this.#pieces;
    this.#pieces = [];
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return this.#zstd !== undefined && length === size ? pieces : undefined;
  }

  #start(): ZstdDecompress {
    const options = { flush: constants.ZSTD_e_continue, chunkSize: OUTPUT_BYTES };
    const zstd = new ZstdDecompress(options);
    zstd.on("data", (piece) => this.#pieces.push(piece));
    // After a failure it is of no more use.
    zstd.on("error", () => {
      this.#zstd = undefined;
    });
    return zstd;
  }
}
