import type { Node } from "@tvix/castore";
import type { NarLengthsService } from "@tvix/store";

/** Nodes that wait to be measured, at most; others are measured when somebody asks. */
const MOST_WAITING = 10_000;

/**
 * Measures and hashes what was uploaded once its upload has been answered, one after the other: who asks for the narinfo
 * next need not wait for it, and neither need who uploads the next path.
 */
export class LengthsAhead {
  readonly #lengths: Pick<NarLengthsService, "files">;
  readonly #waiting: Node[] = [];
  #isRunning = false;
  #isClosed = false;

  constructor(lengths: Pick<NarLengthsService, "files">) {
    this.#lengths = lengths;
  }

  /** Has the NAR of a node measured soon, unless too many others wait. */
  begin(node: Node): void {
    if (this.#isClosed || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push(node);
    if (!this.#isRunning) void this.#run();
  }

  /** Begins nothing more. Nobody waits for what is under way, which may have gigabytes: it fails when its store is closed. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let node = this.#waiting.shift(); node !== undefined; node = this.#waiting.shift()) {
      try {
        await this.#lengths.files(node);
      } catch {
        // What cannot be measured is told to whoever asks for it.
      }
    }
    this.#isRunning = false;
  }
}
