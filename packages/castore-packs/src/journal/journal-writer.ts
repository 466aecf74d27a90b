import type { FileHandle } from "node:fs/promises";
import type { RecordChange } from "@tvix/castore";
import { writeAll } from "../write-all.ts";
import { BLOCK_HEAD_BYTES, type Block, encodeBlockHead } from "./block.ts";
import { encodeChanges } from "./change-codec.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalPosition } from "./position.ts";

const NOTHING = new Uint8Array(0);

/**
 * Appends blocks to the newest file of a journal, one at a time. After one has failed, {@link discardFailed} comes before
 * the next: whether its bytes are on the disk nobody knows.
 */
export class JournalWriter {
  readonly #directory: JournalDirectory;
  #position: JournalPosition;
  #handle: FileHandle | undefined;

  /** @param position of the last block that is there; the next opens a new file, unless {@link resume} was called */
  constructor(directory: JournalDirectory, position: JournalPosition) {
    this.#directory = directory;
    this.#position = position;
  }

  /** Where the last block ends. */
  get position(): JournalPosition {
    return this.#position;
  }

  /** Goes on in the file of the last block, if that ends with it. */
  async resume(): Promise<void> {
    const { file, offset } = this.#position;
    if (offset === 0 || (await this.#directory.lengthOf("journal", file)) !== offset) return;
    this.#handle = await this.#directory.openToWrite(file);
  }

  /** Returns when a block of changes is as durable as blocks are. */
  async append(changes: readonly RecordChange[]): Promise<void> {
    const number = this.#position.number + 1;
    this.#handle ??= await this.#create(number);
    const { file, offset } = this.#position;
    const payload = encodeChanges(changes);
    const block: Block = { kind: "changes", compressed: false, number, payload };
    const end = await appendBlock(this.#handle, offset, block);
    this.#position = { number, file, offset: end };
  }

  /** Has the next block open a new file; returns its number. */
  async rotate(): Promise<number> {
    await this.close();
    return this.#position.number + 1;
  }

  /** Removes what a failed append may have left, durably. */
  async discardFailed(): Promise<void> {
    await this.close();
    const { number, file, offset } = this.#position;
    // The file that was to begin with the block that failed.
    if (file !== number + 1) await this.#directory.remove("journal", number + 1);
    await this.#directory.truncateJournal(file, offset);
  }

  async close(): Promise<void> {
    const last = this.#handle;
    this.#handle = undefined;
    await last?.close();
  }

  async #create(number: number): Promise<FileHandle> {
    const handle = await this.#directory.createJournal(number);
    const offset = await appendBlock(handle, 0, headBlock(number));
    this.#position = { number: number - 1, file: number, offset };
    return handle;
  }
}

/** The first block of a file: it says which blocks are in it, or come after it. */
export function headBlock(number: number): Block {
  return { kind: "head", compressed: false, number, payload: NOTHING };
}

/** Writes a block to a place in a file; returns the place behind it. */
export async function appendBlock(handle: FileHandle, offset: number, block: Block): Promise<number> {
  await writeAll(handle, [encodeBlockHead(block), block.payload], offset);
  return offset + BLOCK_HEAD_BYTES + block.payload.length;
}
