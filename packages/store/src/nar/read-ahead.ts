import { type ByteBudget, mapConcurrently } from "@tvix/castore";

/** Something that takes time to load. */
export interface Loadable<T> {
  /** Memory that it takes from when loading begins, in bytes. */
  readonly bytes: number;
  load(): Promise<T> | T;
}

/** Items that are under way ahead of the consumer, at the most. */
const AHEAD_ITEMS = 512;

/** What an item that has to be loaded takes at least, however short it is. */
const LEAST_BYTES = 16 << 10;

/**
 * Loads items ahead of the consumer and passes them on in their order. The one whose turn it
 * is may always be loaded, those behind it as long as the budget lasts, which several
 * consumers may share.
 */
export function readAhead<T>(
  items: AsyncIterable<Loadable<T>>,
  budget: ByteBudget,
): AsyncGenerator<T, void, undefined> {
  const limits = {
    concurrency: AHEAD_ITEMS,
    budget,
    bytesOf: ({ bytes }: Loadable<T>) => (bytes === 0 ? 0 : Math.max(bytes, LEAST_BYTES)),
  };
  return mapConcurrently(items, limits, async (item) => await item.load());
}
