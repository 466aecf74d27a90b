interface Waiting<T> {
  readonly item: T;
  readonly weight: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Time from the start of one flush of several items to the start of the next, in milliseconds:
 * a stream of small ones shares flushes. There is no such pause behind a single item, nor behind several at once
 * that follow a single one while nobody else waits: who puts one after the other, some of them in parts, never
 * waits for company, and many who each wait for an answer go on together.
 */
const INTERVAL_MS = 4;

/**
 * Lets items that arrive while one flush is under way share the next one, so that many
 * small writes cost few flushes. Items are committed in the order of their arrival.
 */
export class GroupCommit<T> {
  readonly #flush: (items: readonly T[]) => Promise<void>;
  readonly #maxWeight: number;
  #waiting: Waiting<T>[] = [];
  #waitingWeight = 0;
  #onFull: (() => void) | undefined;
  /** Whether the last group had several items. */
  #wereSeveral = false;
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
  commit(item: T, weight: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ item, weight, resolve, reject });
      this.#waitingWeight += weight;
      if (this.#waitingWeight >= this.#maxWeight) this.#onFull?.();
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is waiting any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever arrives in the same turn joins the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const start = performance.now();
      const group = this.#takeGroup();
      try {
        await this.#flush(group.map(({ item }) => item));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
      const isStream = group.length > 1 && (this.#waiting.length > 0 || this.#wereSeveral);
      this.#wereSeveral = group.length > 1;
      if (isStream) await this.#pause(INTERVAL_MS - (performance.now() - start));
    }
    this.#running = undefined;
  }

  /** Lets a group gather, unless a full one is waiting already. */
  async #pause(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#waitingWeight >= this.#maxWeight) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#onFull = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onFull = undefined;
  }

  #takeGroup(): Waiting<T>[] {
    let weight = 0;
    let end = 0;
    for (; end < this.#waiting.length && weight < this.#maxWeight; end++) {
      weight += this.#waiting[end]?.weight ?? 0;
    }
    this.#waitingWeight -= weight;
    return this.#waiting.splice(0, end);
  }
}
