/** Names in order, each once: to find where one stands takes a few steps, to put one there moves those behind it. */
export class SortedNames {
  readonly #names: string[] = [];

  /** Puts a name that is not there. */
  add(name: string): void {
    const place = this.placeOf(name);
    // Most come in order.
    if (place === this.#names.length) this.#names.push(name);
    else this.#names.splice(place, 0, name);
  }

  /** Takes away a name that is there. */
  remove(name: string): void {
    this.#names.splice(this.placeOf(name), 1);
  }

  /** The name at a place, from 0 on; undefined behind the last one. */
  at(place: number): string | undefined {
    return this.#names[place];
  }

  /** The place of the first name that is not before this one. */
  placeOf(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
