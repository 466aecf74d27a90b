interface Waiting<T> {
  readonly item: T;
  readonly weight: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets items that arrive while one flush is under way share the next one, so that many
 * small writes cost few flushes. Items are committed in the order of their arrival.
 */
export class GroupCommit<T> {
  readonly #flush: (items: readonly T[]) => Promise<void>;
  readonly #maxWeight: number;
  #waiting: Waiting<T>[] = [];
  #running: Promise<void> | undefined;

  /**
   * @param flush makes a group of items durable; when it fails the whole group has failed
   * @param maxWeight a group is closed once it weighs this much
   */
  constructor(flush: (items: readonly T[]) => Promise<void>, maxWeight: number) {
    this.#flush = flush;
    this.#maxWeight = maxWeight;
  }

  /** Resolves when the item is durable. */
  async commit(item: T, weight: number): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ item, weight, resolve, reject });
    });
    this.#running ??= this.#run();
    await done;
  }

  /** Resolves when nothing is waiting any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever arrives in the same turn of the event loop joins the first group.
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#flush(group.map(({ item }) => item));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = undefined;
  }

  #takeGroup(): Waiting<T>[] {
    let weight = 0;
    let end = 0;
    for (; end < this.#waiting.length && weight < this.#maxWeight; end++) {
      weight += this.#waiting[end]?.weight ?? 0;
    }
    return this.#waiting.splice(0, end);
  }
}
