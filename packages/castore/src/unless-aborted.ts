/**
 * What a promise gives, unless the signal is aborted before: whoever gives up does not take the
 * result from others who wait for it.
 *
 * @throws the reason of the signal
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  if (signal.aborted) {
    // Nobody waits for it any more, and its failure would end the process.
    promise.catch(() => {});
    throw signal.reason;
  }
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const settle = (outcome: () => void) => {
      signal.removeEventListener("abort", onAbort);
      outcome();
    };
    signal.addEventListener("abort", onAbort);
    promise.then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}

/**
 * The same values until the signal is aborted, also while the next one is awaited. The source is told
 * to end then, and not waited for: it may be silent for ever.
 *
 * @throws the reason of the signal
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let isOver = false;
  try {
    for (;;) {
      const next = await unlessAborted(Promise.resolve(iterator.next()), signal);
      if (next.done === true) {
        isOver = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    isOver = !signal.aborted;
    throw error;
  } finally {
    if (!isOver) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
