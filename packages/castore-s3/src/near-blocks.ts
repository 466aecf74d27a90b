import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** Bytes in front of a block: CRC-32 of the block (u32). */
const HEAD_BYTES = 4;

/** Blocks that may wait to be written: more are fetched again when they are wanted. */
const MOST_WAITING = 32;

/**
 * Blocks of objects in a folder nearby, up to some size: those that were used least recently go first. The folder may be
 * removed at any time; a file that is damaged is none.
 */
export class NearBlocks {
  readonly #folder: string;
  readonly #maxBytes: number;
  /** Lengths of files by their names, in the order of their last use. */
  readonly #files: Map<string, number> = new Map();
  /** Blocks that are being written, by their names. */
  readonly #writing: Map<string, Promise<void>> = new Map();
  #bytes = 0;

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /**
   * @param folder is made where it is not there
   * @param maxBytes that all files together take at the most
   * @throws Error of the system when the folder cannot be read
   */
  static async open(folder: string, maxBytes: number): Promise<NearBlocks> {
    await mkdir(folder, { recursive: true });
    const near = new NearBlocks(folder, maxBytes);
    const found: { name: string; length: number; used: number }[] = [];
    for (const name of await readdir(folder)) {
      if (!NAME.test(name)) {
        // What somebody was writing who did not come to its end.
        if (name.endsWith(".part")) await rm(join(folder, name), { force: true });
        continue;
      }
      const { size, atimeMs, mtimeMs } = await stat(join(folder, name));
      found.push({ name, length: size, used: Math.max(atimeMs, mtimeMs) });
    }
    for (const { name, length } of found.sort((one, other) => one.used - other.used))
      near.#note(name, length);
    await near.#makeRoom();
    return near;
  }

  /** Of which extents there are blocks. */
  extents(): ReadonlySet<number> {
    return new Set(Array.from(this.#files.keys(), (name) => Number.parseInt(name.slice(0, 8), 16)));
  }

  /** Removes all blocks of an extent. */
  async removeAll(extent: number): Promise<void> {
    const prefix = nameOf(extent, 0).slice(0, 9);
    await this.settle();
    for (const name of [...this.#files.keys()]) {
      if (name.startsWith(prefix)) await this.#removeFile(name);
    }
  }

  /** Bytes that all files take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A block; undefined where it is not there, or damaged. */
  async get(extent: number, index: number): Promise<Uint8Array | undefined> {
    const name = nameOf(extent, index);
    const length = this.#files.get(name);
    if (length === undefined) return undefined;
    try {
      const file = await readFile(join(this.#folder, name));
      const block = file.subarray(HEAD_BYTES);
      if (file.length === length && crc32(block) === file.readUInt32BE(0)) {
        this.#forget(name);
        this.#note(name, length);
        return new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
      }
    } catch {
      // Somebody has removed it, or the disk is out of order: the object store has it.
    }
    await this.remove(extent, index);
    return undefined;
  }

  /**
   * Keeps a block; not where too many wait, or the disk takes nothing.
   *
   * @returns resolves when nobody looks at its bytes any more
   */
  async put(extent: number, index: number, block: Uint8Array): Promise<void> {
    const name = nameOf(extent, index);
    if (this.#writing.size >= MOST_WAITING || this.#writing.has(name)) return;
    const writing = this.#write(name, block)
      .catch(() => {})
      .finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
    await writing;
  }

  /** Removes a block, also one that is being written. */
  async remove(extent: number, index: number): Promise<void> {
    const name = nameOf(extent, index);
    await this.#writing.get(name);
    await this.#removeFile(name);
  }

  /** Resolves when what waits is written. */
  async settle(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  async #write(name: string, block: Uint8Array): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(crc32(block));
    const path = join(this.#folder, name);
    const part = `${path}.${process.pid}.part`;
    // Never half a file under its name. It is not flushed: after a crash it is damaged at worst.
    await writeFile(part, [head, block]);
    await rename(part, path);
    this.#forget(name);
    this.#note(name, HEAD_BYTES + block.length);
    await this.#makeRoom();
  }

  async #removeFile(name: string): Promise<void> {
    this.#forget(name);
    await rm(join(this.#folder, name), { force: true }).catch(() => {});
  }

  #note(name: string, length: number): void {
    this.#files.set(name, length);
    this.#bytes += length;
  }

  #forget(name: string): void {
    this.#bytes -= this.#files.get(name) ?? 0;
    this.#files.delete(name);
  }

  async #makeRoom(): Promise<void> {
    for (const name of this.#files.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      await this.#removeFile(name);
    }
  }
}

const NAME = /^[0-9a-f]{8}-[0-9a-f]+$/;

function nameOf(extent: number, index: number): string {
  return `${extent.toString(16).padStart(8, "0")}-${index.toString(16)}`;
}
