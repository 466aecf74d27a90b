/** Lets work begin while the bytes it holds stay within a budget; first come, first served. */
export class ByteBudget {
  readonly #capacity: number;
  #used = 0;
  readonly #waiting: { bytes: number; start: () => void }[] = [];

  /** @param capacity bytes held at most; one larger piece of work runs alone */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when the bytes may be held; each call is followed by one {@link release}. */
  async acquire(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used += bytes;
      return;
    }
    await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
  }

  /** Takes the bytes if they fit now and nobody waits; then one {@link release} follows. */
  tryAcquire(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#used + bytes > this.#capacity) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.start();
    }
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#capacity;
  }
}
