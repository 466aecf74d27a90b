import type { Stats } from "node:fs";
import { type FileIdentity, isSameFile } from "./same-file.ts";

/** Most files that are remembered: about 20 MB of memory. */
const MOST_REMEMBERED = 1 << 16;

/** The time of change too: a write may be hidden from that of modification. */
type Inode = FileIdentity & Pick<Stats, "ctimeMs">;

/** A file that has names which were not met yet. */
interface Seen<T> {
  readonly inode: Inode;
  readonly result: Promise<T>;
  namesLeft: number;
}

/** Remembers what became of files that have several names, so that each is read once. */
export class HardLinks<T> {
  /** By the number of the inode, which need not be the only one: there may be several devices. */
  readonly #seen: Map<number, Seen<T>> = new Map();

  /**
   * What the work on this file has given under another of its names, or else gives now.
   * A file that was written to in between counts as another one.
   */
  once(stats: Stats, work: () => Promise<T>): Promise<T> {
    if (stats.nlink === 1) return work();
    const seen = this.#seen.get(stats.ino);
    if (seen === undefined || !isUnchanged(seen.inode, stats)) {
      const result = work();
      const { dev, ino, size, mtimeMs, ctimeMs } = stats;
      this.#remember({ inode: { dev, ino, size, mtimeMs, ctimeMs }, result, namesLeft: stats.nlink - 1 });
      return result;
    }
    seen.namesLeft--;
    if (seen.namesLeft === 0) this.#seen.delete(stats.ino);
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

function isUnchanged(before: Inode, after: Inode): boolean {
  return isSameFile(before, after) && after.ctimeMs === before.ctimeMs;
}
