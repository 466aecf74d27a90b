import { textOf } from "./packed-writes.ts";

/** Keys that are asked for together, at the most, unless one asks for more. */
const KEYS_TOGETHER = 500;

interface WaitingLookup<T> {
  readonly keys: readonly Uint8Array[];
  readonly settle: (found: Promise<readonly (T | undefined)[]>) => void;
}

/** Lets look-ups that wait share a query: what one asks for is all of one moment. */
export class Lookups<T> {
  readonly #query: (keys: readonly Uint8Array[]) => Promise<ReadonlyMap<string, T>>;
  readonly #atOnce: number;
  readonly #waiting: WaitingLookup<T>[] = [];
  readonly #underWay: Set<Promise<unknown>> = new Set();
  #isScheduled = false;

  /**
   * @param query what there is of some keys, by the keys as text
   * @param atOnce queries that are under way at the same time
   */
  constructor(query: (keys: readonly Uint8Array[]) => Promise<ReadonlyMap<string, T>>, atOnce: number) {
    this.#query = query;
    this.#atOnce = atOnce;
  }

  /** What there is of each key, in their order. */
  find(keys: readonly Uint8Array[]): Promise<readonly (T | undefined)[]> {
    return new Promise((resolve) => {
      this.#waiting.push({ keys, settle: resolve });
      if (this.#isScheduled || this.#underWay.size >= this.#atOnce) return;
      // Whatever comes in the same turn of the event loop joins the query.
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#begin();
      });
    });
  }

  /** Resolves when nothing is waiting or under way any more. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0 || this.#waiting.length > 0) {
      await Promise.all([...this.#underWay]);
      await new Promise(setImmediate);
    }
  }

  #begin(): void {
    while (this.#underWay.size < this.#atOnce && this.#waiting.length > 0) {
      const running = this.#run(this.#takeGroup()).finally(() => {
        this.#underWay.delete(running);
        this.#begin();
      });
      this.#underWay.add(running);
    }
  }

  async #run(group: readonly WaitingLookup<T>[]): Promise<void> {
    const querying = this.#query(group.flatMap(({ keys }) => keys));
    for (const { keys, settle } of group) {
      settle(querying.then((found) => keys.map((key) => found.get(textOf(key)))));
    }
    await querying.catch(() => {});
  }

  #takeGroup(): readonly WaitingLookup<T>[] {
    let [end, count] = [0, 0];
    for (; end < this.#waiting.length; end++) {
      count += this.#waiting[end]?.keys.length ?? 0;
      if (end > 0 && count > KEYS_TOGETHER) break;
    }
    return this.#waiting.splice(0, end);
  }
}
