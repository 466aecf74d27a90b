/**
 * The same messages, each of which is asked for by a function that is given how. Not a generator: whoever
 * leaves in the middle is not to wait for the message that was asked for.
 */
export function withNext<T>(
  messages: AsyncIterable<T>,
  askFor: (next: () => Promise<IteratorResult<T>>) => Promise<IteratorResult<T>>,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const inner = messages[Symbol.asyncIterator]();
      const next = () => inner.next();
      return {
        next: () => askFor(next),
        return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
        throw: async (error: unknown) => {
          if (inner.throw !== undefined) return await inner.throw(error);
          throw error;
        },
      };
    },
  };
}
