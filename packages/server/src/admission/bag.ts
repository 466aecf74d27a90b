/** What can be in a {@link Bag}: it knows its place there. */
export interface InBag {
  /** Undefined: it is in none. */
  place: number | undefined;
}

/**
 * A set without order whose members know where they are: for a few of them, adding and deleting costs a third of what
 * it does with a Set.
 */
export class Bag<Item extends InBag> {
  readonly #items: Item[] = [];

  [Symbol.iterator](): Iterator<Item> {
    return this.#items.values();
  }

  /** Adds what is in none. */
  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Takes out what is in it, and nothing otherwise. */
  delete(item: Item): void {
    const { place } = item;
    if (place === undefined) return;
    const last = this.#items.pop() as Item;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = undefined;
  }
}
