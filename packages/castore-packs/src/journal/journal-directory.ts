import { constants, type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";

const NAME = /^(\d{16})\.(journal|checkpoint)$/;
const UNFINISHED = ".new";
const SET_ASIDE = ".damaged";

/** The files of a journal, each by the number of the first block that it has, or comes before. */
export interface JournalFiles {
  /** Of journals, in order. */
  readonly journals: readonly number[];
  /** Of checkpoints, in order. */
  readonly checkpoints: readonly number[];
}

/** The kinds of files of a journal. */
export type JournalFileKind = "journal" | "checkpoint";

/** The folder of a journal: files `0000000000000001.journal`, `0000000000000042.checkpoint` and so on. */
export class JournalDirectory {
  readonly path: string;
  readonly #sync: boolean;

  /** @param sync whether the names of files are flushed to the disk */
  constructor(path: string, sync: boolean) {
    this.path = path;
    this.#sync = sync;
  }

  /** Makes the folder where it is not there. */
  async make(): Promise<void> {
    await makeDirectory(this.path);
  }

  /** What is there; nothing where there is no folder. */
  async list(): Promise<JournalFiles> {
    const names = await readdir(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const numbersOf = (kind: JournalFileKind) =>
      names
        .map((name) => NAME.exec(name))
        .flatMap((match) => (match?.[2] === kind ? [Number(match[1])] : []))
        .sort((a, b) => a - b);
    return { journals: numbersOf("journal"), checkpoints: numbersOf("checkpoint") };
  }

  /** Length of a file in bytes, undefined when it is not there. */
  async lengthOf(kind: JournalFileKind, number: number): Promise<number | undefined> {
    return await stat(this.#file(kind, number)).then(
      ({ size }) => size,
      () => undefined,
    );
  }

  /** Opens a file that is there, to read it. */
  async open(kind: JournalFileKind, number: number): Promise<FileHandle> {
    return await open(this.#file(kind, number), "r");
  }

  /** Opens a journal that is there: a write to it returns when it is as durable as writes are. */
  async openToWrite(number: number): Promise<FileHandle> {
    return await open(this.#file("journal", number), constants.O_RDWR | this.#flushed);
  }

  /** Makes a new journal, in place of one of that number in which nothing counts. */
  async createJournal(number: number): Promise<FileHandle> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | this.#flushed;
    const handle = await open(this.#file("journal", number), flags);
    try {
      await this.#syncNames();
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Removes what is behind a place of a journal, if that is there, and flushes it to the disk. */
  async truncateJournal(number: number, length: number): Promise<void> {
    if ((await this.lengthOf("journal", number)) === undefined) return;
    const handle = await this.openToWrite(number);
    try {
      await handle.truncate(length);
      if (this.#sync) await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  /** Makes a checkpoint, which counts when {@link finishCheckpoint} was called. */
  async createCheckpoint(number: number): Promise<FileHandle> {
    return await open(this.#file("checkpoint", number) + UNFINISHED, "w+");
  }

  async finishCheckpoint(number: number): Promise<void> {
    const path = this.#file("checkpoint", number);
    await rename(path + UNFINISHED, path);
    await this.#syncNames();
  }

  /** Removes all that a checkpoint makes unnecessary. */
  async removeBefore(number: number): Promise<void> {
    const { journals, checkpoints } = await this.list();
    for (const other of journals) if (other < number) await this.remove("journal", other);
    for (const other of checkpoints) if (other < number) await this.remove("checkpoint", other);
  }

  /** Keeps all files before one under names that are those of no journal. */
  async setAsideBefore(number: number): Promise<void> {
    const { journals, checkpoints } = await this.list();
    for (const [kind, others] of [
      ["journal", journals],
      ["checkpoint", checkpoints],
    ] as const) {
      for (const other of others.filter((one) => one < number)) {
        const path = this.#file(kind, other);
        await rename(path, `${path}${SET_ASIDE}`);
      }
    }
    await this.#syncNames();
  }

  async remove(kind: JournalFileKind, number: number): Promise<void> {
    await rm(this.#file(kind, number), { force: true });
  }

  /** Removes checkpoints that were left unfinished. */
  async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.path)) {
      if (name.endsWith(UNFINISHED)) await rm(join(this.path, name), { force: true });
    }
  }

  /** Removes all checkpoints but one, or all. */
  async removeCheckpointsBut(number: number | undefined): Promise<void> {
    for (const other of (await this.list()).checkpoints) {
      if (other !== number) await this.remove("checkpoint", other);
    }
  }

  /** With it, a write does in one call what a write and a flush do in two. */
  get #flushed(): number {
    return this.#sync ? constants.O_DSYNC : 0;
  }

  async #syncNames(): Promise<void> {
    if (!this.#sync) return;
    const folder = await open(this.path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** The name of a file. */
  nameOf(kind: JournalFileKind, number: number): string {
    return `${String(number).padStart(16, "0")}.${kind}`;
  }

  #file(kind: JournalFileKind, number: number): string {
    return join(this.path, this.nameOf(kind, number));
  }
}
