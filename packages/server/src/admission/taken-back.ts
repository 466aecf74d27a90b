import { LRUCache } from "lru-cache";
import { networkOf } from "../listen/connections.ts";
import { TokenBucket } from "./token-bucket.ts";

/**
 * Calls that may be taken back from one address before anything of their answer is sent, at once and how many more each
 * second. A client that gives up a batch of calls stays below; to begin a call takes us longer than it takes a client.
 */
const RATE = { most: 2000, perSecond: 200 };

/** Addresses that are remembered. */
const REMEMBERED = 10_000;

/**
 * Counts the calls that are taken back before they are answered, by the address they come from: whoever has lost a
 * connection for it and makes another one goes on from there. What comes through a Unix socket counts for its connection.
 */
export class TakenBack {
  readonly #buckets = new LRUCache<string | object, TokenBucket>({ max: REMEMBERED });

  /** Notes one; returns whether it was one too many. */
  note(address: string | undefined, connection: object, now: number = performance.now()): boolean {
    const key = networkOf(address) || connection;
    const known = this.#buckets.get(key);
    const bucket = known ?? new TokenBucket(RATE, now);
    if (known === undefined) this.#buckets.set(key, bucket);
    return bucket.take(1, now) < 0;
  }
}
