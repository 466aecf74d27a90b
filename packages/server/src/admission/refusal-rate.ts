/** Requests of a connection that are refused at once, and how many more each second. */
const AT_ONCE = 200;
const PER_SECOND = 20;

interface Bucket {
  left: number;
  filled: number;
}

/**
 * Counts the requests of each connection that were not let in. Whoever goes on asking for what they may
 * not have loses the connection, and has to begin anew.
 */
export class RefusalRate {
  readonly #buckets: WeakMap<object, Bucket> = new WeakMap();

  /** Notes one; returns whether it was one too many. */
  note(connection: object, now: number = performance.now()): boolean {
    const bucket = this.#buckets.get(connection) ?? { left: AT_ONCE, filled: now };
    this.#buckets.set(connection, bucket);
    bucket.left = Math.min(AT_ONCE, bucket.left + ((now - bucket.filled) / 1000) * PER_SECOND);
    bucket.filled = now;
    bucket.left--;
    return bucket.left < 0;
  }
}
