import { statSync } from "node:fs";
import { type FileHandle, open, readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";

const PACK_NAME = /^(\d{10})\.pack$/;

/** Where a pack ends. */
export interface PackEnd {
  readonly pack: number;
  /** Length of the pack in bytes. */
  readonly end: number;
}

/** The folder of packs: files `0000000001.pack` and so on. */
export class PackDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder where it is not there. */
  async open(): Promise<void> {
    await makeDirectory(this.path);
  }

  /** The numbers of the packs that are there, in order. */
  async numbers(): Promise<number[]> {
    return packNumbersOf(await readdir(this.path));
  }

  /** Length of a pack in bytes, undefined when it is not there. On the spot: it takes some microseconds. */
  lengthOf(number: number): number | undefined {
    return statSync(this.#file(number), { throwIfNoEntry: false })?.size;
  }

  /**
   * Removes a pack, if it is there, so that its number is not given again: the newest one stays behind empty,
   * until there is a newer one.
   */
  async retirePack(number: number): Promise<void> {
    const numbers = await this.numbers();
    const newest = numbers.at(-1);
    if (number !== newest) await this.removePack(number);
    else await truncate(this.#file(number), 0);
    for (const other of numbers) {
      if (other !== number && other !== newest && this.lengthOf(other) === 0) await this.removePack(other);
    }
  }

  /** Removes a pack, if it is there. */
  async removePack(number: number): Promise<void> {
    await rm(this.#file(number), { force: true });
  }

  /** Opens a pack that is there: `r` to read, `r+` to append as well. */
  async openPack(number: number, mode: "r" | "r+"): Promise<FileHandle> {
    return await open(this.#file(number), mode);
  }

  /** Makes a new, empty pack, with its name durable. */
  async createPack(number: number, sync: boolean): Promise<FileHandle> {
    const handle = await open(this.#file(number), "wx+");
    if (sync) {
      const folder = await open(this.path, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    }
    return handle;
  }

  /** The name of a pack. */
  nameOf(number: number): string {
    return `${String(number).padStart(10, "0")}.pack`;
  }

  #file(number: number): string {
    return join(this.path, this.nameOf(number));
  }
}

/** The numbers of the packs among names of files, in order. */
export function packNumbersOf(names: readonly string[]): number[] {
  const numbers = names.map((name) => Number(PACK_NAME.exec(name)?.[1] ?? 0));
  return numbers.filter((number) => number > 0).sort((a, b) => a - b);
}
