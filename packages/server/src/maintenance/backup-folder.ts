import {
  constants,
  type FileHandle,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";
import {
  type CopiedFile,
  type CopyContents,
  type CopyState,
  type FilePart,
  tailOf,
} from "@tvix/castore-packs";

/**
 * A file that says what a folder is: in it are the identifier of the store, once the first backup was made, and what that
 * consists of, a line for each file: its name, its length, and the digest of its end.
 */
const MARKER = "this-is-a-backup-of-a-tvix-store";

/** What a checkpoint is called until all of it is there: part of one in its place would be taken for the newest. */
const UNFINISHED = ".new";

/** Files of a copy; what else lies in the folders is somebody else's. */
const NAME = /^(\d{10}\.pack|\d{16}\.(journal|checkpoint))$/;

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
    if (!names.includes(MARKER)) await writeFile(join(path, MARKER), "");
    return new BackupFolder(path);
  }

  /** Whether there is a folder, and it is a backup. */
  static async isOne(path: string): Promise<boolean> {
    const names = await readdir(path).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return names.includes(MARKER);
  }

  /**
   * The names of files that are not there any more, or not as the last backup has left them. What has been added by one
   * that was interrupted is no fault.
   */
  static async damagedFiles(path: string): Promise<readonly string[]> {
    const [, ...lines] = (await readFile(join(path, MARKER), "utf8")).trimEnd().split("\n");
    const damaged: string[] = [];
    for (const line of lines) {
      const [name = "", length = "", tail = ""] = line.split(" ");
      const found = await tailOfFile(join(path, name), Number(length)).catch(() => undefined);
      if (found !== tail) damaged.push(name);
    }
    return damaged;
  }

  /** What is there so far. */
  async state(): Promise<CopyState> {
    const [id = ""] = (await readFile(join(this.#path, MARKER), "utf8")).split("\n");
    const known = new Map<string, CopiedFile>();
    for (const name of await this.#names()) {
      if (name.endsWith(UNFINISHED)) continue;
      const handle = await open(join(this.#path, name), "r");
      try {
        const { size: length } = await handle.stat();
        known.set(name, { length, tail: await tailOf(handle, length) });
      } finally {
        await handle.close();
      }
    }
    return { storeId: id === "" ? undefined : id, files: known };
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
  async finish({ storeId, files }: CopyContents): Promise<void> {
    await this.#closeCurrent();
    for (const name of await this.#names()) {
      const finished = name.slice(0, -UNFINISHED.length);
      if (name.endsWith(UNFINISHED) && files.has(finished))
        await rename(join(this.#path, name), join(this.#path, finished));
    }
    for (const [name, length] of files) {
      const found = await stat(join(this.#path, name)).catch(() => undefined);
      if (found?.size !== length) throw new Error(`${name} is not as long as it should be`);
    }
    await this.#syncFolders();
    const lines = [storeId];
    for (const [name, length] of files) {
      lines.push(`${name} ${length} ${await tailOfFile(join(this.#path, name), length)}`);
    }
    await this.#replaceMarker(`${lines.join("\n")}\n`);
    for (const name of await this.#names()) if (!files.has(name)) await rm(join(this.#path, name));
    await this.#syncFolders();
  }

  async #replaceMarker(text: string): Promise<void> {
    const marker = join(this.#path, MARKER);
    await writeFile(marker + UNFINISHED, text, { flush: true });
    await rename(marker + UNFINISHED, marker);
    await this.#syncFolders();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeCurrent();
  }

  async #open(name: string, offset: number): Promise<FileHandle> {
    if (this.#current?.name === name) return this.#current.handle;
    await this.#closeCurrent();
    // Of a checkpoint that is there, nothing ever changes.
    const target = name.endsWith(".checkpoint") ? name + UNFINISHED : name;
    const handle = await open(join(this.#path, target), constants.O_RDWR | constants.O_CREAT);
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
      for (const name of await readdir(join(this.#path, folder))) {
        const isOurs = NAME.test(name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name);
        if (isOurs) names.push(`${folder}/${name}`);
      }
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

/** The digest of the end of a part of a file, as text. @throws when it is shorter than that */
async function tailOfFile(path: string, length: number): Promise<string> {
  const handle = await open(path, "r");
  try {
    return (await tailOf(handle, length)).toHex();
  } finally {
    await handle.close();
  }
}
