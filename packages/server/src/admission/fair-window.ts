/** The window that each of many has in what there is for all of them: a power of two, so that it seldom changes. */
export class FairWindow {
  readonly #capacity: number;
  readonly #least: number;
  readonly #most: number;
  #bytes: number;

  /**
   * @param capacity bytes of all windows, as long as each has the least there is
   * @param least bytes of each, however many there are
   * @param most bytes of each, however few there are
   */
  constructor(capacity: number, least: number, most: number) {
    this.#capacity = capacity;
    this.#least = least;
    this.#most = most;
    this.#bytes = most;
  }

  /** What each of them has, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Fits it to how many there are: smaller at once; larger when there would be room for half as many more, since each
   * change has to be told to all of them.
   *
   * @returns whether it has changed
   */
  fitTo(count: number): boolean {
    const before = this.#bytes;
    this.#bytes = Math.min(this.#fairFor(count), Math.max(this.#bytes, this.#fairFor(1.5 * count)));
    return this.#bytes !== before;
  }

  #fairFor(count: number): number {
    const part = 2 ** Math.floor(Math.log2(this.#capacity / Math.max(1, count)));
    return Math.min(this.#most, Math.max(this.#least, part));
  }
}
