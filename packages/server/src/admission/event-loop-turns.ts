/** Time that requests may take in one turn of the event loop, in milliseconds. */
const SLICE_MS = 2;

/**
 * Shares the event loop between those who have much to be done and everybody else. Thousands of requests,
 * or short messages of one, come in one read of a socket, and would be dealt with one after the other
 * before anybody else is looked at. So each asks first, and when the time of this turn is up it waits for
 * another one, in the order in which they came.
 */
export class EventLoopTurns {
  /** Each tells whether there may be more in the same turn. */
  readonly #waiting: (() => boolean)[] = [];
  /** When the first of this turn was begun; undefined: none has been. */
  #began: number | undefined;

  /** @returns undefined when there is time left, as there mostly is; else what to wait for */
  next(): Promise<void> | undefined {
    if (this.#hasTime()) return undefined;
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        resolve();
        // What it does comes behind this, and takes nobody knows how long.
        return false;
      });
    });
  }

  /** Runs a task, at once when there is time left. */
  run(task: () => void): void {
    if (this.#hasTime()) {
      task();
      return;
    }
    this.#waiting.push(() => {
      task();
      return true;
    });
  }

  #hasTime(): boolean {
    if (this.#began === undefined) {
      this.#begin();
      return true;
    }
    return performance.now() - this.#began < SLICE_MS;
  }

  /** Begins a turn, with those who have waited longest. */
  #begin(): void {
    this.#began = performance.now();
    setImmediate(() => {
      this.#began = undefined;
      if (this.#waiting.length === 0) return;
      this.#begin();
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        if (!next() || !this.#hasTime()) return;
      }
    });
  }
}
