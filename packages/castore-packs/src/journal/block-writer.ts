import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { writeAll } from "../write-all.ts";
import { BLOCK_HEAD_BYTES, type Block, encodeBlockHead, NO_SALT, SALT_BYTES } from "./block.ts";
import { readSalt } from "./read-blocks.ts";

/** Writes blocks to a file, one behind the other. */
export class BlockWriter {
  readonly #handle: FileHandle;
  readonly #salt: Uint8Array;
  #end: number;

  private constructor(handle: FileHandle, salt: Uint8Array, end: number) {
    this.#handle = handle;
    this.#salt = salt;
    this.#end = end;
  }

  /**
   * Begins a file with its first block.
   *
   * @param number of the block of a journal that comes next
   */
  static async begin(handle: FileHandle, number: number): Promise<BlockWriter> {
    const salt = randomBytes(SALT_BYTES);
    const head: Block = { kind: "head", compressed: false, number, payload: salt };
    const writer = new BlockWriter(handle, salt, 0);
    await writer.#write(head, NO_SALT);
    return writer;
  }

  /**
   * Goes on in a file.
   *
   * @param end where its last block ends
   * @returns undefined when its first block is damaged
   */
  static async resume(handle: FileHandle, end: number): Promise<BlockWriter | undefined> {
    const salt = await readSalt(handle);
    return salt && new BlockWriter(handle, salt, end);
  }

  /** Where the last block ends. */
  get end(): number {
    return this.#end;
  }

  /** Returns when a block is written, as durably as the file is. */
  async append(block: Block): Promise<void> {
    await this.#write(block, this.#salt);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(block: Block, salt: Uint8Array): Promise<void> {
    await writeAll(this.#handle, [encodeBlockHead(block, salt), block.payload], this.#end);
    this.#end += BLOCK_HEAD_BYTES + block.payload.length;
  }
}
