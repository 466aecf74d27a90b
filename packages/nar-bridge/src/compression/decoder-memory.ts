import type { HeldMemory, MemoryLedger, OperationOptions } from "@tvix/castore";
import { NarBridgeError } from "../errors.ts";
import type { Compression } from "./compression.ts";

/** What decoders may take. */
export interface DecoderLimits {
  /** What all of them draw from. */
  readonly memory: MemoryLedger;
  /** The largest window or dictionary that a stream may ask for, in bytes. */
  readonly maxWindowBytes: number;
}

/** What a decoder takes beside its window, in bytes. */
const BASE_BYTES = 1 << 20;

/** The memory of one decoder: as much as the largest window that its stream has asked for so far. */
export class DecoderMemory {
  readonly #compression: Compression;
  readonly #limits: DecoderLimits;
  readonly #options: OperationOptions;
  #held: HeldMemory | undefined;

  constructor(compression: Compression, limits: DecoderLimits, options: OperationOptions = {}) {
    this.#compression = compression;
    this.#limits = limits;
    this.#options = options;
  }

  /**
   * Waits until there is memory for a window.
   *
   * @throws NarBridgeError TOO_LARGE; CastoreError TOO_BUSY when there is none for a while
   */
  async need(windowBytes: number): Promise<void> {
    const { memory, maxWindowBytes } = this.#limits;
    if (windowBytes > maxWindowBytes) {
      const text = `the ${this.#compression} stream asks for a window of ${windowBytes} bytes`;
      throw new NarBridgeError("TOO_LARGE", `${text}, and no more than ${maxWindowBytes} are given`);
    }
    const bytes = windowBytes + BASE_BYTES;
    const what = `decompressing ${this.#compression}`;
    if (this.#held === undefined) this.#held = await memory.hold(bytes, what, this.#options);
    else if (bytes > this.#held.bytes) await this.#held.grow(bytes - this.#held.bytes, this.#options);
  }

  release(): void {
    this.#held?.release();
    this.#held = undefined;
  }
}
