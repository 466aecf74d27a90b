import { BufferPool } from "@tvix/castore/backend";

/** Length of a block, in bytes: what is worth a journey. */
export const BLOCK_BYTES: number = 1 << 20;

/** Memory of blocks that is kept to be used again: what is fetched at once, at most. */
const KEPT_BLOCKS = 8;

/** Memory of whole blocks, which is used again. */
export class BlockMemory {
  readonly #buffers: BufferPool = new BufferPool(BLOCK_BYTES, KEPT_BLOCKS);

  /** Memory for a block, with anything in it. */
  acquire(): Uint8Array {
    return this.#buffers.acquire();
  }

  /** Takes back what nobody looks at any more. */
  release(bytes: Uint8Array): void {
    // Blocks at the end of an object are shorter.
    if (bytes.length === BLOCK_BYTES) this.#buffers.release(bytes);
  }
}

/**
 * A block of an object that is there, or on its way. Its memory is used again as soon as nobody holds it and it is
 * remembered no more.
 */
export class Block {
  readonly #memory: BlockMemory;
  readonly #arrival: PromiseWithResolvers<Uint8Array> = Promise.withResolvers();
  /** What has arrived, until its memory is used again. */
  #bytes: Uint8Array | undefined;
  #holders = 0;
  #isRemembered = true;

  constructor(memory: BlockMemory) {
    this.#memory = memory;
    // What is fetched ahead may be wanted by nobody.
    this.#arrival.promise.catch(() => {});
  }

  /** Its bytes, for those who hold it. */
  get bytes(): Promise<Uint8Array> {
    return this.#arrival.promise;
  }

  /** It has arrived. */
  arrive(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#arrival.resolve(bytes);
    this.#useAgain();
  }

  /** It cannot be had. */
  fail(error: unknown): void {
    this.#arrival.reject(error);
  }

  /** Its bytes stay as they are until whoever calls this calls {@link release}. */
  hold(): void {
    this.#holders++;
  }

  /** Called once for each {@link hold}. */
  release(): void {
    this.#holders--;
    this.#useAgain();
  }

  /** Nobody begins to hold it any more. */
  forget(): void {
    this.#isRemembered = false;
    this.#useAgain();
  }

  #useAgain(): void {
    const bytes = this.#bytes;
    if (bytes === undefined || this.#isRemembered || this.#holders > 0) return;
    this.#bytes = undefined;
    this.#memory.release(bytes);
  }
}
