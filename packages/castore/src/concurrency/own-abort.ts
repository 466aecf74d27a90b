/**
 * A signal of one's own that is aborted with another one as well. It has to be ended: what
 * `AbortSignal.any` makes is remembered by a signal that outlives many, for each of them.
 */
export class OwnAbort {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;

  /** @param outer of whoever asks */
  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.addEventListener("abort", this.#passOn);
    if (outer?.aborted === true) this.#passOn();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /** Listens to the other signal no more. */
  end(): void {
    this.#outer?.removeEventListener("abort", this.#passOn);
  }

  readonly #passOn = (): void => this.#controller.abort(this.#outer?.reason);
}
