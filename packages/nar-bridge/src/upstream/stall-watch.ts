import type { ByteStream } from "@tvix/byte-stream";

/** Aborts when nothing has come for a while. */
export class StallWatch {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  /** @param stallMs time without a byte, in milliseconds */
  constructor(stallMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error("stalled")), stallMs).unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The same bytes; only the time that is waited for them counts. */
  async *watch(stream: ByteStream): ByteStream {
    for await (const piece of stream) {
      this.#timer.refresh();
      yield piece;
      this.#timer.refresh();
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
