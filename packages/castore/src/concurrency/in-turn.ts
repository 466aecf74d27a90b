/** Runs tasks of one key one after the other, in the order of their arrival; those of different keys at once. */
export class InTurn {
  /** The last task of each key that is under way or waits. */
  readonly #last: Map<string, Promise<unknown>> = new Map();

  /** @throws as the task does; what others before it have thrown is their concern */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = (before ?? Promise.resolve()).then(task, task);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
