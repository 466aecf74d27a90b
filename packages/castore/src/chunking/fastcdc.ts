import { FASTCDC_KERNEL } from "./fastcdc-kernel.gen.ts";
import { GEAR } from "./gear.ts";
import { type ChunkSizes, checkChunkSizes, DEFAULT_CHUNK_SIZES, masksFor } from "./parameters.ts";

/** Addresses in the kernel's memory; see the head of `fastcdc-kernel.wat`. */
const SHIFTED_GEAR_AT = 2048;
const DATA_AT = 4096;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  restart(): void;
  scan(at: number, end: number, mask: bigint): number;
}

/**
 * Finds where content-defined chunks end: FastCDC v2020, normalisation level 1, with
 * the same cut points as the crate `fastcdc` has.
 *
 * An instance owns a little WebAssembly memory and may be shared: no call waits.
 */
export class FastCdc {
  readonly sizes: ChunkSizes;
  readonly #kernel: Kernel;
  readonly #memory: Uint8Array;
  readonly #beforeAverage: bigint;
  readonly #afterAverage: bigint;

  /** @throws RangeError when the sizes are out of bounds */
  constructor(sizes: ChunkSizes = DEFAULT_CHUNK_SIZES) {
    checkChunkSizes(sizes);
    this.sizes = sizes;
    ({ beforeAverage: this.#beforeAverage, afterAverage: this.#afterAverage } = masksFor(sizes.avg));
    this.#kernel = instantiateKernel(sizes.max);
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /**
   * Length of the chunk that begins at the start of `window`.
   *
   * @param window the next bytes of the stream: at least `sizes.max` of them, or all
   *   that are left
   * @returns from 1 to the length of the window; 0 for an empty one
   */
  cut(window: Uint8Array): number {
    const { min, avg, max } = this.sizes;
    if (window.length <= min) return window.length;
    const length = Math.min(window.length, max);
    const center = Math.min(length, avg);

    const first = evenFloor(min);
    this.#memory.set(window.subarray(first, length), DATA_AT);
    const address = (offset: number) => DATA_AT + offset - first;

    this.#kernel.restart();
    const middle = address(evenFloor(center));
    const early = this.#kernel.scan(address(first), middle, this.#beforeAverage);
    if (early < middle) return early - DATA_AT + first;
    const end = address(evenFloor(length));
    const late = this.#kernel.scan(middle, end, this.#afterAverage);
    return late < end ? late - DATA_AT + first : length;
  }
}

function evenFloor(length: number): number {
  return length - (length % 2);
}

function instantiateKernel(maxChunk: number): Kernel {
  const wasm = Uint8Array.from(atob(FASTCDC_KERNEL), (character) => character.charCodeAt(0));
  // Below 4 KiB every engine lets a module be compiled without waiting.
  const kernel = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports as unknown as Kernel;
  const pages = Math.ceil((DATA_AT + maxChunk) / 65_536);
  kernel.memory.grow(pages - 1);
  const words = new DataView(kernel.memory.buffer);
  GEAR.forEach((word, index) => {
    words.setBigUint64(8 * index, word, true);
    words.setBigUint64(SHIFTED_GEAR_AT + 8 * index, BigInt.asUintN(64, word << 1n), true);
  });
  return kernel;
}
