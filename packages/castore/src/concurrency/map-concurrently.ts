/**
 * Applies a function to each item, to several at the same time, and yields the results in
 * the order of the items. Waits for those under way when it ends early.
 *
 * @param concurrency how many at the same time, at least 1
 */
export async function* mapConcurrently<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  apply: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = apply(item);
      // Looked at in order; until then a failure is nobody's.
      result.catch(() => {});
      underWay.push(result);
      if (underWay.length >= concurrency) yield await (underWay.shift() as Promise<R>);
    }
    while (underWay.length > 0) yield await (underWay.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(underWay);
  }
}
