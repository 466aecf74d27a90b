import type { BigIntStats } from "node:fs";
import { type FileIdentity, isSameFile } from "./same-file.ts";

/** Most files that are remembered: about 20 MB of memory. */
const MOST_REMEMBERED = 1 << 16;

/** A file that has names which were not met yet. */
interface Seen<T> {
  readonly inode: FileIdentity;
  readonly result: Promise<T>;
  namesLeft: bigint;
}

/** Remembers what became of files that have several names, so that each is read once. */
export class HardLinks<T> {
  /** By the number of the inode, which need not be the only one: there may be several devices. */
  readonly #seen: Map<bigint, Seen<T>> = new Map();

  /**
   * What the work on this file has given under another of its names, or else gives now.
   * A file that was written to in between counts as another one.
   */
  once(stats: BigIntStats, work: () => Promise<T>): Promise<T> {
    if (stats.nlink === 1n) return work();
    const seen = this.#seen.get(stats.ino);
    if (seen === undefined || !isSameFile(seen.inode, stats)) {
      const result = work();
      const { dev, ino, size, mtimeNs, ctimeNs } = stats;
      this.#remember({ inode: { dev, ino, size, mtimeNs, ctimeNs }, result, namesLeft: stats.nlink - 1n });
      return result;
    }
    seen.namesLeft--;
    if (seen.namesLeft === 0n) this.#seen.delete(stats.ino);
    return seen.result;
  }

  #remember(seen: Seen<T>): void {
    if (this.#seen.size === MOST_REMEMBERED) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.set(seen.inode.ino, seen);
  }
}
