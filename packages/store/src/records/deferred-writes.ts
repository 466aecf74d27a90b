import type { RecordChange, RecordStore } from "@tvix/castore";

/** Changes that wait, at most: of more, the rest is lost. */
const MAX_WAITING = 100_000;

/**
 * Writes for which nobody waits, and on which nothing depends: what gathers meanwhile is one write, one after the other;
 * what cannot be written is lost.
 */
export class DeferredWrites {
  readonly #records: RecordStore;
  #waiting: RecordChange[] = [];
  #writing: Promise<void> | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  add(change: RecordChange): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(change);
    this.#writing ??= this.#write();
  }

  /** Waits until all that was added is written, or lost. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // All that comes in this turn of the event loop goes together.
    await new Promise((resolve) => setTimeout(resolve, 0));
    while (this.#waiting.length > 0) {
      const changes = this.#waiting;
      this.#waiting = [];
      await this.#records.write(changes).catch(() => {});
    }
    this.#writing = undefined;
  }
}
