/** How much somebody may take: so much at once, and so much more each second, as in any token bucket. */
export interface BucketRate {
  readonly most: number;
  readonly perSecond: number;
}

/** What somebody may still take. */
export class TokenBucket {
  readonly #rate: BucketRate;
  #left: number;
  #filled: number;

  /** @param now as of `performance.now()` */
  constructor(rate: BucketRate, now: number = performance.now()) {
    this.#rate = rate;
    this.#left = rate.most;
    this.#filled = now;
  }

  /** Takes some, also where there is not enough; returns what is left, which may be less than nothing. */
  take(amount: number, now: number = performance.now()): number {
    const { most, perSecond } = this.#rate;
    this.#left = Math.min(most, this.#left + ((now - this.#filled) / 1000) * perSecond) - amount;
    this.#filled = now;
    return this.#left;
  }

  /** Whether nothing has been taken that is not there again. */
  isFull(now: number = performance.now()): boolean {
    return this.take(0, now) >= this.#rate.most;
  }
}
