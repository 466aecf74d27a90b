import type { RecordChange } from "@tvix/castore";
import { BlockWriter } from "./block-writer.ts";
import { encodeChanges } from "./change-codec.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalPosition } from "./position.ts";

/**
 * Appends blocks to the newest file of a journal, one at a time. After one has failed, {@link discardFailed} comes before
 * the next: whether its bytes are on the disk nobody knows.
 */
export class JournalWriter {
  readonly #directory: JournalDirectory;
  #position: JournalPosition;
  #file: BlockWriter | undefined;

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
    const handle = await this.#directory.openToWrite(file);
    this.#file = await BlockWriter.resume(handle, offset);
    if (this.#file === undefined) await handle.close();
  }

  /** Returns when a block of changes is as durable as blocks are. */
  async append(changes: readonly RecordChange[]): Promise<void> {
    const number = this.#position.number + 1;
    this.#file ??= await this.#create(number);
    await this.#file.append({ kind: "changes", compressed: false, number, payload: encodeChanges(changes) });
    this.#position = { number, file: this.#position.file, offset: this.#file.end };
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
    const last = this.#file;
    this.#file = undefined;
    await last?.close();
  }

  async #create(number: number): Promise<BlockWriter> {
    const handle = await this.#directory.createJournal(number);
    try {
      const file = await BlockWriter.begin(handle, number);
      this.#position = { number: number - 1, file: number, offset: file.end };
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}
