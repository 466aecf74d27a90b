import type { Stats } from "node:fs";

/** Most files that are remembered: about 20 MB of memory. */
const MOST_REMEMBERED = 1 << 16;

/** Remembers what became of files that have several names, so that each is read once. */
export class HardLinks<T> {
  readonly #seen: Map<string, { readonly result: Promise<T>; namesLeft: number }> = new Map();

  /**
   * What the work on this file has given under another of its names, or else gives now.
   * A file that was written to in between counts as another one.
   */
  async once(stats: Stats, work: () => Promise<T>): Promise<T> {
    if (stats.nlink === 1) return await work();
    const identity = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
    const seen = this.#seen.get(identity);
    if (seen === undefined) {
      const result = work();
      this.#remember(identity, result, stats.nlink - 1);
      return await result;
    }
    seen.namesLeft--;
    if (seen.namesLeft === 0) this.#seen.delete(identity);
    return await seen.result;
  }

  #remember(identity: string, result: Promise<T>, namesLeft: number): void {
    if (this.#seen.size === MOST_REMEMBERED) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.set(identity, { result, namesLeft });
  }
}
