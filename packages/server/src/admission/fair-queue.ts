/** What waits for one owner; those that were taken are cut off together. */
interface Line<T> {
  items: T[];
  next: number;
}

/** Items that were taken before the rest moves up. */
const CUT_OFF = 1000;

/** What waits for its turn, by whom it is for: each of them gets one after the other. */
export class FairQueue<T> {
  readonly #waiting: Map<object, Line<T>> = new Map();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  push(owner: object, item: T): void {
    const line = this.#waiting.get(owner);
    if (line === undefined) this.#waiting.set(owner, { items: [item], next: 0 });
    else line.items.push(item);
  }

  /** Takes the next one; its owner comes behind all others then. */
  shift(): T | undefined {
    for (const [owner, line] of this.#waiting) {
      const item = line.items[line.next++];
      this.#waiting.delete(owner);
      if (line.next === line.items.length) return item;
      if (line.next >= CUT_OFF) {
        line.items = line.items.slice(line.next);
        line.next = 0;
      }
      this.#waiting.set(owner, line);
      return item;
    }
    return undefined;
  }
}
