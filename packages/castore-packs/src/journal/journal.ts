import { CastoreError, InTurn, type RecordChange } from "@tvix/castore";
import type { WriteAheadLog } from "@tvix/castore-level";
import { storageFailure } from "../storage-failure.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { JournalDirectory, type JournalFileKind } from "./journal-directory.ts";
import type { JournalIndex } from "./journal-index.ts";
import { JournalWriter } from "./journal-writer.ts";
import { isLasting } from "./lasting.ts";
import { type OpenedJournal, openJournal } from "./open-journal.ts";
import { appliedChange, type JournalPosition, markChange } from "./position.ts";
import { isWholeUpTo, replay } from "./recover-index.ts";

/** Files of a journal, and how much of each counts. */
export type JournalSnapshot = readonly { readonly name: string; readonly length: number }[];

/** How a {@link Journal} works. */
export interface JournalOptions {
  /** Whether blocks are flushed to the disk before they count. */
  readonly sync: boolean;
  /** Whether files may be written: where not, the index is only brought to where the journal is. */
  readonly mayWrite: boolean;
  /** Length after which a file is complete, and the index is brought to the disk, in bytes. Default 16 MiB. */
  readonly fileBytes?: number | undefined;
}

/**
 * The changes of the records of an index, before they are made: what was acknowledged is in the journal, so the index
 * need not be flushed, and can be made again when it is lost. Derived records are left out.
 *
 * Files that are complete go when a checkpoint was written, which holds all records as they are by then. That is when the
 * files have become longer than the checkpoint before, so each record is written down some two times.
 */
export class Journal implements WriteAheadLog {
  /** What the index was found to be. */
  readonly found: OpenedJournal["found"];
  readonly #directory: JournalDirectory;
  readonly #index: JournalIndex;
  readonly #options: JournalOptions;
  readonly #fileBytes: number;
  readonly #upkeep: InTurn = new InTurn();
  readonly #writer: JournalWriter;
  #mark: JournalPosition;
  /** Bytes of the files since the last checkpoint, and of that. */
  #journalBytes: number;
  #checkpointBytes: number;
  /** The last file that is complete and has not been settled: where it ends, and the bytes of all files by then. */
  #complete: { readonly position: JournalPosition; readonly bytes: number } | undefined;
  readonly #isMissing: boolean;
  #isClosed = false;

  private constructor(
    directory: JournalDirectory,
    index: JournalIndex,
    options: JournalOptions,
    opened: OpenedJournal,
  ) {
    this.#directory = directory;
    this.#index = index;
    this.#options = options;
    this.#fileBytes = options.fileBytes ?? 16 << 20;
    this.#writer = new JournalWriter(directory, opened.end);
    this.#mark = opened.mark;
    this.#journalBytes = opened.journalBytes;
    this.#checkpointBytes = opened.checkpointBytes;
    this.found = opened.found;
    this.#isMissing = opened.isMissing === true;
  }

  /**
   * Opens the journal in a folder, and brings its index to where it is.
   *
   * @throws CastoreError CORRUPT when the index is older than what is there of the journal
   * @throws Error of the system
   */
  static async open(path: string, index: JournalIndex, options: JournalOptions): Promise<Journal> {
    const directory = new JournalDirectory(path, options.sync);
    const opened = await openJournal(directory, index, options.mayWrite);
    const journal = new Journal(directory, index, options, opened);
    if (options.mayWrite) await journal.#writer.resume();
    return journal;
  }

  async append(changes: readonly RecordChange[]): Promise<readonly RecordChange[]> {
    const lasting = changes.filter(({ key }) => isLasting(key));
    if (lasting.length === 0) return [];
    try {
      await this.#makeRoom();
      const before = this.#writer.position;
      await this.#writer.append(lasting);
      const { number, file, offset } = this.#writer.position;
      this.#journalBytes += file === before.file ? offset - before.offset : offset;
      return [appliedChange(number)];
    } catch (error) {
      throw storageFailure("written", error, "journal");
    }
  }

  async recover(): Promise<void> {
    try {
      await this.#writer.discardFailed();
      await replay(this.#directory, this.#index, this.#mark);
    } catch (error) {
      throw storageFailure("written", error, "journal");
    }
  }

  /**
   * Writes all records down, after which nothing is left in the journal of those that were removed before.
   *
   * @param exclusively runs a task while nothing is written to the index
   */
  async checkpoint(exclusively: (task: () => Promise<void>) => Promise<void>): Promise<void> {
    let [number, bytes] = [0, 0];
    await exclusively(async () => {
      number = await this.#writer.rotate();
      bytes = this.#journalBytes;
    });
    await this.#upkeep.run("", () => this.#checkpointFrom(number, bytes));
  }

  /**
   * Tells which files, up to which length, are all that was acknowledged. They stay until `use` is done with them.
   *
   * @param exclusively runs a task while nothing is written to the index
   */
  async whileKept<T>(
    exclusively: (task: () => Promise<void>) => Promise<void>,
    use: (snapshot: JournalSnapshot) => Promise<T>,
  ): Promise<T> {
    if (this.#isMissing) {
      throw new CastoreError(
        "READ_ONLY",
        "the store has no journal yet, and none can be written: it cannot be backed up",
      );
    }
    return await this.#upkeep.run("", async () => {
      let end = this.#writer.position;
      await exclusively(async () => {
        end = this.#writer.position;
      });
      return await use(await this.#filesUpTo(end));
    });
  }

  /** Reads all of it. @returns whether an index could be made from it */
  async isWhole(exclusively: (task: () => Promise<void>) => Promise<void>): Promise<boolean> {
    if (this.#isMissing) return true;
    return await this.#upkeep.run("", async () => {
      let number = 0;
      await exclusively(async () => {
        number = this.#writer.position.number;
      });
      return await isWholeUpTo(this.#directory, number);
    });
  }

  async #filesUpTo(end: JournalPosition): Promise<JournalSnapshot> {
    const { journals, checkpoints } = await this.#directory.list();
    const checkpoint = checkpoints.findLast((number) => number <= end.number + 1);
    const files: { readonly name: string; readonly length: number }[] = [];
    const add = (kind: JournalFileKind, number: number, length: number | undefined) => {
      if (length !== undefined) files.push({ name: this.#directory.nameOf(kind, number), length });
    };
    if (checkpoint !== undefined) {
      add("checkpoint", checkpoint, await this.#directory.lengthOf("checkpoint", checkpoint));
    }
    for (const number of journals) {
      if (number < (checkpoint ?? 0) || number > end.file) continue;
      const length = await this.#directory.lengthOf("journal", number);
      add("journal", number, number === end.file ? end.offset : length);
    }
    return files;
  }

  /** Brings the index to the disk, where that can be; what is written after that fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#upkeep.run("", async () => {
      await this.#writer.close();
      const isBehind = this.#writer.position.number > this.#mark.number;
      // Where that fails, whoever opens it next does what is left.
      if (this.#options.mayWrite && isBehind) await this.#moveMark(this.#writer.position).catch(() => {});
    });
  }

  /** Called between two writes to the index: it has all that the journal has. */
  async #makeRoom(): Promise<void> {
    const { position } = this.#writer;
    if (position.offset < this.#fileBytes || position.number <= this.#mark.number) return;
    await this.#writer.rotate();
    const isWaiting = this.#complete !== undefined;
    this.#complete = { position, bytes: this.#journalBytes };
    // What fails here is tried again with the next file; the journal grows meanwhile.
    if (!isWaiting) this.#upkeep.run("", () => this.#settle()).catch(() => {});
  }

  /** Brings the index to the disk, and writes a checkpoint where one is due: up to the last file that is complete by now. */
  async #settle(): Promise<void> {
    const complete = this.#complete;
    this.#complete = undefined;
    if (complete === undefined || complete.position.number < this.#mark.number) return;
    const { position, bytes } = complete;
    const isDue = this.#journalBytes > Math.max(this.#checkpointBytes, 4 * this.#fileBytes);
    await (isDue ? this.#checkpointFrom(position.number + 1, bytes) : this.#moveMark(position));
  }

  async #moveMark(position: JournalPosition): Promise<void> {
    if (position.number < this.#mark.number) return;
    await this.#index.flush();
    await this.#index.writeDurably([markChange(position)]);
    this.#mark = position;
  }

  /** @param bytes of the files that go with it */
  async #checkpointFrom(number: number, bytes: number): Promise<void> {
    // An index that lacks what only the files before have could not be caught up any more.
    await this.#moveMark({ number: number - 1, file: number, offset: 0 });
    this.#checkpointBytes = await writeCheckpoint(this.#directory, number, this.#index, () => {
      if (this.#isClosed) throw new CastoreError("CLOSED", "the store is closed");
    });
    await this.#directory.removeBefore(number);
    this.#journalBytes -= bytes;
  }
}
