import { LRUCache } from "lru-cache";
import { networkOf } from "../listen/connections.ts";
import { TokenBucket } from "./token-bucket.ts";

/**
 * Calls that may be taken back from one address before anything of their answer is sent, at once and how many more each
 * second. A client that gives up a batch of calls stays below; to begin a call takes us longer than it takes a client.
 */
const RATE = { most: 2000, perSecond: 500 };

/** What an address may owe: whoever has stopped is as good as others after a second. */
const MOST_DEBT = 500;

/** Addresses that are remembered. */
const REMEMBERED = 10_000;

/**
 * Counts the calls that are taken back before they are answered, by the address they come from: whoever has lost a
 * connection for it and makes another one goes on from there. What comes through a Unix socket counts for its connection.
 */
export class TakenBack {
  readonly #ofAddress = new LRUCache<string, TokenBucket>({ max: REMEMBERED });
  readonly #ofConnection: WeakMap<object, TokenBucket> = new WeakMap();

  /** Notes one; returns whether it was one too many. */
  note(address: string | undefined, connection: object, now: number = performance.now()): boolean {
    const bucket = this.#bucketOf(networkOf(address), connection, now);
    return bucket.take(0, now) <= -MOST_DEBT || bucket.take(1, now) < 0;
  }

  #bucketOf(address: string, connection: object, now: number): TokenBucket {
    const known = address === "" ? this.#ofConnection.get(connection) : this.#ofAddress.get(address);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(RATE, now);
    if (address === "") this.#ofConnection.set(connection, bucket);
    else this.#ofAddress.set(address, bucket);
    return bucket;
  }
}
