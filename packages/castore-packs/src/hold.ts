/** Something that is kept as it is until it is let go. */
export interface Held<T> extends Disposable {
  readonly value: T;
}

/**
 * Holds on to what is kept only as long as a function runs.
 *
 * @param run calls `use` once with what is kept, until its promise resolves
 * @throws what it throws before that
 */
export async function hold<T>(run: (use: (value: T) => Promise<void>) => Promise<void>): Promise<Held<T>> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return await new Promise<Held<T>>((resolve, reject) => {
    const use = async (value: T) => {
      resolve({ value, [Symbol.dispose]: release });
      await released;
    };
    run(use).catch(reject);
  });
}
