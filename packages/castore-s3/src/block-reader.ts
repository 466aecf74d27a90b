import { copyBytes } from "@tvix/byte-stream";
import { BLOCK_BYTES, Block, BlockMemory } from "./block.ts";
import type { Bucket } from "./bucket.ts";
import { fetchRange } from "./fetch-range.ts";
import type { NearBlocks } from "./near-blocks.ts";
import { nameOf } from "./object-names.ts";

/** Blocks that are fetched with one request at the most, when somebody reads on and on. */
const MOST_AHEAD = 8;

/** Where blocks are kept nearby. */
type KeptNearby = Pick<NearBlocks, "get" | "put" | "remove" | "removeAll" | "extents">;

/** How a {@link BlockReader} works. */
export interface BlockReaderOptions {
  /** Blocks that are remembered, in bytes. */
  readonly memoryBytes: number;
  /** Where blocks are kept nearby. Default: in memory only. */
  readonly near?: KeptNearby | undefined;
}

/** Bytes that are lent until they are given back, once. */
export interface LentBytes {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

/** How somebody reads on in an extent. */
interface Course {
  /** The block behind those that were fetched last. */
  next: number;
  /** Blocks that were fetched last with one request. */
  window: number;
}

/** What is shorter is copied: many short ones from as many blocks would hold all of these. */
const LEAST_LENT_BYTES = 128 << 10;

/** Courses that are remembered. */
const COURSES = 256;

/**
 * Reads objects in blocks, each fetched once for all who want it at the same time, and remembered. Chunks that are
 * read together were mostly stored together: what follows is fetched ahead, more the longer somebody reads on.
 */
export class BlockReader {
  readonly #bucket: Pick<Bucket, "get">;
  readonly #options: BlockReaderOptions;
  /** In the order of their last use. */
  readonly #blocks: Map<string, Block> = new Map();
  readonly #memory: BlockMemory = new BlockMemory();
  readonly #courses: Map<number, Course> = new Map();

  constructor(bucket: Pick<Bucket, "get">, options: BlockReaderOptions) {
    this.#bucket = bucket;
    // One block is read at a time at least.
    this.#options = { ...options, memoryBytes: Math.max(options.memoryBytes, BLOCK_BYTES) };
  }

  /**
   * Bytes of an extent; fewer where it ends before, none where there is no such object.
   *
   * @throws CastoreError UNAVAILABLE, STORAGE_FAILURE
   */
  async read(extent: number, start: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(start / BLOCK_BYTES);
    const last = Math.floor((start + Math.max(length, 1) - 1) / BLOCK_BYTES);
    this.#fetchMissing(extent, first, last);
    // Not filled with zeros first, and not cut from memory that others share.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let filled = 0;
    for (let index = first; index <= last; index++) {
      const block = this.#hold(extent, index);
      try {
        const found = await block.bytes;
        const from = index === first ? start - first * BLOCK_BYTES : 0;
        const piece = found.subarray(from, from + length - filled);
        bytes.set(piece, filled);
        filled += piece.length;
        if (found.length < BLOCK_BYTES) break;
      } finally {
        block.release();
      }
    }
    return bytes.subarray(0, filled);
  }

  /** The same; what is long and lies in one block is not copied. Nobody may change it. */
  async lend(extent: number, start: number, length: number): Promise<LentBytes> {
    const index = Math.floor(start / BLOCK_BYTES);
    const from = start - index * BLOCK_BYTES;
    if (length < LEAST_LENT_BYTES || from + length > BLOCK_BYTES) {
      return { bytes: await this.read(extent, start, length), release: () => {} };
    }
    this.#fetchMissing(extent, index, index);
    const block = this.#hold(extent, index);
    const release = () => block.release();
    try {
      return { bytes: (await block.bytes).subarray(from, from + length), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Remembers what lies in an extent: who has just stored something reads it, mostly. */
  remember(extent: number, bytes: Uint8Array): void {
    for (let index = 0; index * BLOCK_BYTES < bytes.length; index++) {
      // Memory of its own: the pack as a whole is not kept.
      const own = copyBytes(bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
      this.#drop(keyOf(extent, index));
      const block = new Block(this.#memory);
      this.#blocks.set(keyOf(extent, index), block);
      this.#keepNearby(extent, index, block, own);
      block.arrive(own);
    }
    this.#makeRoom();
  }

  /** Forgets what it has of a range: it may have arrived damaged. */
  async forget(extent: number, start: number, length: number): Promise<void> {
    for (let index = Math.floor(start / BLOCK_BYTES); index * BLOCK_BYTES < start + length; index++) {
      this.#drop(keyOf(extent, index));
      await this.#options.near?.remove(extent, index);
    }
  }

  /** Of which extents there is anything here. */
  extents(): ReadonlySet<number> {
    const inMemory = Array.from(this.#blocks.keys(), (key) => Number(key.split(" ")[0]));
    return new Set([...inMemory, ...(this.#options.near?.extents() ?? [])]);
  }

  /** Forgets all that it has of an extent. */
  async forgetAll(extent: number): Promise<void> {
    this.#courses.delete(extent);
    for (const key of [...this.#blocks.keys()]) if (key.startsWith(`${extent} `)) this.#drop(key);
    await this.#options.near?.removeAll(extent);
  }

  /** Holds one that is there, or on its way. */
  #hold(extent: number, index: number): Block {
    const key = keyOf(extent, index);
    const block = this.#blocks.get(key);
    if (block === undefined) {
      // It had to make room already.
      this.#fetch(extent, index, 1);
      return this.#hold(extent, index);
    }
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    block.hold();
    return block;
  }

  /** Forgets a block, whoever holds it; only this one where it is given. */
  #drop(key: string, only?: Block): void {
    const block = this.#blocks.get(key);
    if (block === undefined || (only !== undefined && only !== block)) return;
    this.#blocks.delete(key);
    block.forget();
  }

  #keepNearby(extent: number, index: number, block: Block, bytes: Uint8Array): void {
    const { near } = this.#options;
    if (near === undefined) return;
    block.hold();
    void near.put(extent, index, bytes).finally(() => block.release());
  }

  #fetchMissing(extent: number, first: number, last: number): void {
    let missing = first;
    while (missing <= last && this.#blocks.has(keyOf(extent, missing))) missing++;
    const course = this.#courses.get(extent);
    if (missing > last) {
      // What was fetched last is being used: the next is on its way meanwhile.
      if (course !== undefined && course.window > 1 && last >= course.next - course.window) {
        this.#fetchAhead(extent, course.next, course.next);
      }
      return;
    }
    this.#fetchAhead(extent, missing, last);
  }

  #fetchAhead(extent: number, first: number, last: number): void {
    const course = this.#courses.get(extent);
    const readsOn = course?.next === first;
    const window = readsOn ? Math.min(2 * course.window, MOST_AHEAD) : 1;
    const count = Math.max(
      last - first + 1,
      this.#options.memoryBytes > 2 * MOST_AHEAD * BLOCK_BYTES ? window : 1,
    );
    this.#courses.delete(extent);
    this.#courses.set(extent, { next: first + count, window });
    for (const oldest of this.#courses.keys()) {
      if (this.#courses.size <= COURSES) break;
      this.#courses.delete(oldest);
    }
    this.#fetch(extent, first, count);
  }

  /** Fetches those of some blocks that are not there. */
  #fetch(extent: number, first: number, count: number): void {
    const wanted: Block[] = [];
    for (let index = first; index < first + count; index++) {
      if (this.#blocks.has(keyOf(extent, index))) break;
      const block = new Block(this.#memory);
      wanted.push(block);
      this.#blocks.set(keyOf(extent, index), block);
    }
    void this.#fill(extent, first, wanted);
    this.#makeRoom();
  }

  async #fill(extent: number, first: number, wanted: readonly Block[]): Promise<void> {
    const { near } = this.#options;
    let done = 0;
    const settle = (bytes: Uint8Array) => {
      const block = wanted[done] as Block;
      block.arrive(bytes);
      // What is not there may be written yet, and an end is the end of what somebody else is sending.
      if (bytes.length === 0) this.#drop(keyOf(extent, first + done), block);
      done++;
    };
    try {
      for (; near !== undefined && done < wanted.length; ) {
        const kept = await near.get(extent, first + done);
        if (kept === undefined) break;
        settle(kept);
      }
      if (done === wanted.length) return;
      const start = (first + done) * BLOCK_BYTES;
      const length = (wanted.length - done) * BLOCK_BYTES;
      let memory = this.#memory.acquire();
      let filled = 0;
      const finish = () => {
        const bytes = filled === BLOCK_BYTES ? memory : memory.slice(0, filled);
        if (bytes.length > 0) this.#keepNearby(extent, first + done, wanted[done] as Block, bytes);
        settle(bytes);
        filled = 0;
      };
      for await (let piece of fetchRange(this.#bucket, nameOf(extent), start, length)) {
        while (piece.length > 0) {
          const part = piece.subarray(0, BLOCK_BYTES - filled);
          memory.set(part, filled);
          filled += part.length;
          piece = piece.subarray(part.length);
          if (filled < BLOCK_BYTES) continue;
          finish();
          if (done === wanted.length) return;
          memory = this.#memory.acquire();
        }
      }
      while (done < wanted.length) finish();
      this.#memory.release(memory);
    } catch (error) {
      for (; done < wanted.length; done++) {
        const block = wanted[done] as Block;
        this.#drop(keyOf(extent, first + done), block);
        block.fail(error);
      }
    }
  }

  #makeRoom(): void {
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size * BLOCK_BYTES <= this.#options.memoryBytes) return;
      this.#drop(oldest);
    }
  }
}

function keyOf(extent: number, index: number): string {
  return `${extent} ${index}`;
}
