import { constants, createZstdDecompress, type ZstdDecompress } from "node:zlib";
import { concatBytes } from "@tvix/byte-stream";
import { BLOCK_MAX_BYTES, frameBlocks, isSingleSegment } from "./frame-blocks.ts";

/** Longest contents that come out of a frame, in bytes: those of the longest chunk, unless a store was told otherwise. */
const CONTENTS_MAX_BYTES = 512 << 10;

/** One byte of room to spare tells a decompressor that it is done: it does not ask for more. */
const OUTPUT_BYTES = CONTENTS_MAX_BYTES + 1;

/** Frames at the same time: Node has so many threads for them. */
const DECOMPRESSORS = 4;

/**
 * Decompresses long frames in threads of Node, with a few decompressors that stay, each into a buffer that stays: to make
 * these anew takes up to as much processor time as to decompress a frame, and more from the garbage collector.
 */
export class DecompressorPool {
  readonly #free: Decompressor[] = [];
  readonly #waiting: (() => void)[] = [];
  #atWork = 0;

  /** Whether a frame is one for this pool: its contents fit, and it needs no memory besides them. */
  takes(frame: Uint8Array, size: number): boolean {
    if (size > CONTENTS_MAX_BYTES || !isSingleSegment(frame)) return false;
    // Anything but a whole frame might leave a decompressor waiting, and what it waits for be taken from the next one.
    const blocks = frameBlocks(frame);
    return blocks !== undefined && blocks <= size / BLOCK_MAX_BYTES + 2;
  }

  /**
   * Decompresses a frame that {@link takes} has told of; waits while all decompressors are at work.
   *
   * @param use looks at the contents on the spot: their memory is used again afterwards
   * @returns what `use` returns
   * @throws Error for a damaged frame, and what `use` throws
   */
  async lend<T>(frame: Uint8Array, use: (contents: Uint8Array) => T): Promise<T> {
    await this.#turn();
    try {
      const decompressor = this.#free.pop() ?? new Decompressor();
      try {
        return use(await decompressor.decompress(frame));
      } finally {
        if (!decompressor.hasFailed) this.#free.push(decompressor);
      }
    } finally {
      // The place goes to the next one, so nobody comes in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#atWork--;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#atWork < DECOMPRESSORS) this.#atWork++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** Where a stream of Node puts its output. */
interface Output {
  _outBuffer?: Uint8Array;
  _outOffset?: number;
}

/** A stream that takes one frame after the other. */
class Decompressor {
  readonly #zstd: ZstdDecompress & Output = createZstdDecompress({
    flush: constants.ZSTD_e_continue,
    chunkSize: OUTPUT_BYTES,
  });
  readonly #output: Uint8Array = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #pieces: Uint8Array[] = [];
  #onFailure: (error: unknown) => void = () => {};
  #failed = false;

  constructor() {
    this.#zstd.on("data", (piece) => this.#pieces.push(piece));
    // Whatever ends it leaves it of no more use, and who waits for it is told.
    const fail = (error: unknown) => {
      this.#failed = true;
      this.#onFailure(error);
    };
    this.#zstd.on("error", fail);
    this.#zstd.on("end", () => fail(new Error("the decompressor has ended")));
  }

  /** Whether it is of no more use. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  async decompress(frame: Uint8Array): Promise<Uint8Array> {
    this.#pieces = [];
    // Node writes to this buffer until it is full, and takes another one then. Were that to change, contents would lie in
    // memory of their own, which is slower, and right all the same.
    this.#zstd._outBuffer = this.#output;
    this.#zstd._outOffset = 0;
    await new Promise<void>((resolve, reject) => {
      // Node does not call back for a frame that is damaged.
      this.#onFailure = reject;
      this.#zstd.write(frame, (error) => (error ? reject(error) : resolve()));
    });
    const [first = new Uint8Array(), ...others] = this.#pieces;
    return others.length === 0 ? first : concatBytes(this.#pieces);
  }
}
