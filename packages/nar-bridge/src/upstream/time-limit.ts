import type { ByteStream } from "@tvix/byte-stream";

/**
 * Aborts when time has passed, or with another signal. It has to be ended: `AbortSignal.any` would
 * leave something with a signal that outlives many requests, for each of them.
 */
export class TimeLimit {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal;

  /** @param limitMs time in milliseconds */
  constructor(limitMs: number, outer: AbortSignal) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error("out of time")), limitMs).unref();
    this.#outer = outer;
    outer.addEventListener("abort", this.#passOn);
    if (outer.aborted) this.#passOn();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The same bytes, where the limit is one of time without any; only the time that is waited for them counts. */
  async *watch(stream: ByteStream): ByteStream {
    for await (const piece of stream) {
      this.#timer.refresh();
      yield piece;
      this.#timer.refresh();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#passOn);
  }

  readonly #passOn = (): void => this.#controller.abort(this.#outer.reason);
}
