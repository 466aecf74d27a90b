import type { ByteBudget } from "../memory-use/byte-budget.ts";

/** How much {@link mapConcurrently} has under way. */
export interface ConcurrencyLimits<T> {
  /** How many items at the same time, at least 1. */
  readonly concurrency: number;
  /** Bytes that those under way may hold, which others may share. Default: any number. */
  readonly budget?: ByteBudget;
  /** Bytes that an item holds from the moment it is begun until its result is passed on. Default: none. */
  readonly bytesOf?: (item: T) => number;
  /** Whether it ends early without waiting for what is under way. Default false. */
  readonly leaves?: boolean;
}

/** An item that is under way, and what it holds of the budget. */
interface UnderWay<R> {
  readonly result: Promise<R>;
  readonly reserved: number;
}

/**
 * Applies a function to each item, to several at the same time, and yields the results in
 * the order of the items. The one whose turn it is may always be begun, those behind it as long as the budget
 * lasts.
 *
 * @param limits or only how many at the same time
 */
export async function* mapConcurrently<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limits: number | ConcurrencyLimits<T>,
  apply: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const {
    concurrency,
    budget,
    bytesOf = () => 0,
    leaves = false,
  } = typeof limits === "number" ? { concurrency: limits } : limits;
  const underWay: UnderWay<R>[] = [];
  const passOn = async () => {
    const { result, reserved } = underWay.shift() as UnderWay<R>;
    try {
      return await result;
    } finally {
      budget?.release(reserved);
    }
  };
  try {
    for await (const item of items) {
      const bytes = bytesOf(item);
      const fits = () => underWay.length === 0 || bytes === 0 || budget?.tryAcquire(bytes) !== false;
      while (!fits()) yield await passOn();
      const reserved = underWay.length === 0 ? 0 : bytes;
      const result = (async () => await apply(item))();
      // Looked at in order; until then a failure is nobody's.
      result.catch(() => {});
      underWay.push({ result, reserved });
      while (underWay.length >= concurrency) yield await passOn();
    }
    while (underWay.length > 0) yield await passOn();
  } finally {
    const ended = underWay.map(async ({ result, reserved }) => {
      await result.catch(() => {});
      budget?.release(reserved);
    });
    if (!leaves) await Promise.all(ended);
  }
}
