import { constants, type FileHandle, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";
import { type CopiedFile, type CopyContents, type FilePart, tailOf } from "@tvix/castore-packs";

/** A file that says what a folder is. */
const MARKER = "this-is-a-backup-of-a-tvix-store";

const SUBFOLDERS = ["packs", "journal"] as const;

/** A folder with a copy of a store, which grows by what is new. */
export class BackupFolder implements AsyncDisposable {
  readonly #path: string;
  #current: { readonly name: string; readonly handle: FileHandle } | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Opens a backup, and makes it where there is none.
   *
   * @throws Error when there is something else in the folder
   */
  static async open(path: string): Promise<BackupFolder> {
    await makeDirectory(path);
    const names = await readdir(path);
    if (names.length > 0 && !names.includes(MARKER)) {
      throw new Error(`${path} has something in it, and is no backup`);
    }
    for (const name of SUBFOLDERS) await makeDirectory(join(path, name));
    await writeFile(join(path, MARKER), "");
    return new BackupFolder(path);
  }

  /** Whether a folder is a backup. */
  static async isOne(path: string): Promise<boolean> {
    return (await readdir(path)).includes(MARKER);
  }

  /** What is there so far. */
  async known(): Promise<ReadonlyMap<string, CopiedFile>> {
    const known = new Map<string, CopiedFile>();
    for (const name of await this.#names()) {
      const handle = await open(join(this.#path, name), "r");
      try {
        const { size: length } = await handle.stat();
        known.set(name, { length, tail: await tailOf(handle, length) });
      } finally {
        await handle.close();
      }
    }
    return known;
  }

  /** Writes bytes to their place, and removes what is behind them. */
  async write({ name, offset, data }: FilePart): Promise<void> {
    const handle = await this.#open(name, offset);
    for (let at = 0; at < data.length; ) {
      const { bytesWritten } = await handle.write(data, at, data.length - at, offset + at);
      at += bytesWritten;
    }
  }

  /**
   * Flushes everything, and removes what does not belong to the copy.
   *
   * @throws Error when something is missing
   */
  async finish(contents: CopyContents): Promise<void> {
    await this.#closeCurrent();
    for (const [name, length] of contents) {
      const found = await stat(join(this.#path, name)).catch(() => undefined);
      if (found?.size !== length) throw new Error(`${name} is not as long as it should be`);
    }
    await this.#syncFolders();
    for (const name of await this.#names()) if (!contents.has(name)) await rm(join(this.#path, name));
    await this.#syncFolders();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeCurrent();
  }

  async #open(name: string, offset: number): Promise<FileHandle> {
    if (this.#current?.name === name) return this.#current.handle;
    await this.#closeCurrent();
    const handle = await open(join(this.#path, name), constants.O_RDWR | constants.O_CREAT);
    this.#current = { name, handle };
    await handle.truncate(offset);
    return handle;
  }

  async #closeCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    try {
      await current?.handle.datasync();
    } finally {
      await current?.handle.close();
    }
  }

  async #names(): Promise<readonly string[]> {
    const names: string[] = [];
    for (const folder of SUBFOLDERS) {
      for (const name of await readdir(join(this.#path, folder))) names.push(`${folder}/${name}`);
    }
    return names;
  }

  async #syncFolders(): Promise<void> {
    for (const name of ["", ...SUBFOLDERS]) {
      const folder = await open(join(this.#path, name), "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    }
  }
}
