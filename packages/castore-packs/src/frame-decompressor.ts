import { constants } from "node:zlib";
import { ZstdDecompress } from "minizlib";
import { isOneBlockFrame } from "./one-block-frame.ts";

/** Output that is allocated at a time, in bytes: room for any block, and never all of it used. */
const OUTPUT_BYTES = 256 << 10;

/**
 * Decompresses short frames, one after the other, with one decompressor: to make one for each takes several times
 * as long as to decompress it. See `FrameCompressor` for why this is minizlib.
 */
export class FrameDecompressor {
  #zstd: ZstdDecompress | undefined;
  #pieces: Uint8Array[] = [];

  /**
   * What a frame holds; undefined where nothing can be told: it is no frame of one block, or damaged.
   * Ask a decompressor of its own then.
   */
  decompress(frame: Uint8Array): Uint8Array | undefined {
    // Anything else might leave the decompressor waiting, and what it waits for be taken from the next frame.
    if (!isOneBlockFrame(frame)) return undefined;
    this.#zstd ??= this.#start();
    this.#pieces = [];
    this.#zstd.write(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
    return this.#zstd === undefined || this.#pieces.length > 1 ? undefined : this.#pieces[0];
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
