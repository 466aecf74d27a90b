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
async function hold<T>(run: (use: (value: T) => Promise<void>) => Promise<void>): Promise<Held<T>> {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return await new Promise<Held<T>>((resolve, reject) => {
    const use = async (value: T) => {
      resolve({ value, [Symbol.dispose]: release });
      await released;
    };
    run(use).catch(reject);
  });
}

/** What is held by those who may not let go by themselves: all of it is let go together. */
export class Holds {
  readonly #held = new Set<Held<unknown>>();
  #isOver = false;

  /** Whether nothing is held any more, nor will be. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Holds on to what is kept only as long as a function runs, until {@link letGo} is called at the latest. */
  async hold<T>(run: (use: (value: T) => Promise<void>) => Promise<void>): Promise<Held<T>> {
    const held = await hold(run);
    this.#held.add(held);
    if (this.#isOver) held[Symbol.dispose]();
    return {
      value: held.value,
      [Symbol.dispose]: () => {
        this.#held.delete(held);
        held[Symbol.dispose]();
      },
    };
  }

  /** Lets go of everything. */
  letGo(): void {
    this.#isOver = true;
    for (const held of this.#held) held[Symbol.dispose]();
    this.#held.clear();
  }
}
