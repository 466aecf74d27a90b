import { TokenBucket } from "./token-bucket.ts";

/** Requests of a connection that are refused at once, and how many more each second. */
const RATE = { most: 200, perSecond: 20 };

/**
 * Counts the requests of each connection that were not let in. Whoever goes on asking for what they may
 * not have loses the connection, and has to begin anew.
 */
export class RefusalRate {
  readonly #buckets: WeakMap<object, TokenBucket> = new WeakMap();

  /** Notes one; returns whether it was one too many. */
  note(connection: object, now: number = performance.now()): boolean {
    const bucket = this.#buckets.get(connection) ?? new TokenBucket(RATE, now);
    this.#buckets.set(connection, bucket);
    return bucket.take(1, now) < 0;
  }
}
