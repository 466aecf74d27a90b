import type { ByteStream } from "@tvix/byte-stream";
import { OwnAbort } from "@tvix/castore";

/** Aborts when time has passed, or with another signal. It has to be ended. */
export class TimeLimit {
  readonly #own: OwnAbort;
  readonly #timer: NodeJS.Timeout;

  /** @param limitMs time in milliseconds */
  constructor(limitMs: number, outer: AbortSignal) {
    this.#own = new OwnAbort(outer);
    this.#timer = setTimeout(() => this.#own.abort(new Error("out of time")), limitMs).unref();
  }

  get signal(): AbortSignal {
    return this.#own.signal;
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
    this.#own.end();
  }
}
