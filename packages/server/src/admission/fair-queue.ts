/** What waits for its turn, by whom it is for: each of them gets one after the other. */
export class FairQueue<T> {
  readonly #waiting: Map<object, T[]> = new Map();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  push(owner: object, item: T): void {
    const items = this.#waiting.get(owner);
    if (items === undefined) this.#waiting.set(owner, [item]);
    else items.push(item);
  }

  /** Takes the next one; its owner comes behind all others then. */
  shift(): T | undefined {
    for (const [owner, items] of this.#waiting) {
      const item = items.shift();
      this.#waiting.delete(owner);
      if (items.length > 0) this.#waiting.set(owner, items);
      return item;
    }
    return undefined;
  }
}
