import type { Caller } from "./access.ts";
import type { Exchange } from "./exchange.ts";
import { principalKeyOf } from "./principal-key.ts";
import { Refusal } from "./refusal.ts";
import { TokenBucket } from "./token-bucket.ts";

const DAY_S = 86_400;

/** How often uploads under way are looked at, in milliseconds. */
const INTERVAL_MS = 1000;

/** Principals that are remembered before those are forgotten who have their whole day again. */
const REMEMBERED = 1000;

interface Account {
  readonly bucket: TokenBucket;
  /** Its uploads under way, and how much of each has been counted, in bytes. */
  readonly open: Map<Exchange, number>;
}

/**
 * Bounds the bytes that each principal sends in a day to be stored, as this process has seen them: all of
 * them may come at once, and what was sent comes back evenly within a day.
 */
export class UploadVolume {
  readonly #bytesPerDay: number;
  readonly #accounts: Map<string, Account> = new Map();
  #timer: NodeJS.Timeout | undefined;

  /** @param bytesPerDay Infinity for any number */
  constructor(bytesPerDay: number) {
    this.#bytesPerDay = bytesPerDay;
  }

  /**
   * Counts an upload until it ends. One that goes beyond what is left is cut off.
   *
   * @throws Refusal QUOTA when nothing is left
   */
  begin(exchange: Exchange, caller: Caller): void {
    if (exchange.needed !== "write" || this.#bytesPerDay === Number.POSITIVE_INFINITY) return;
    const account = this.#accountOf(principalKeyOf(exchange, caller));
    const left = this.#count(account);
    if (left <= 0) {
      const waitS = Math.ceil((1 - left) / (this.#bytesPerDay / DAY_S));
      const what = `${caller.name} may store ${this.#bytesPerDay} bytes a day`;
      throw new Refusal("QUOTA", `${what}; there is room again in ${waitS} s`, waitS);
    }
    account.open.set(exchange, 0);
    exchange.onEnd(() => {
      this.#count(account);
      account.open.delete(exchange);
    });
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  #accountOf(principal: string): Account {
    const known = this.#accounts.get(principal);
    if (known !== undefined) return known;
    if (this.#accounts.size >= REMEMBERED) this.#forget();
    const rate = { most: this.#bytesPerDay, perSecond: this.#bytesPerDay / DAY_S };
    const account: Account = { bucket: new TokenBucket(rate), open: new Map() };
    this.#accounts.set(principal, account);
    return account;
  }

  #forget(): void {
    for (const [principal, { bucket, open }] of this.#accounts) {
      if (open.size === 0 && bucket.isFull()) this.#accounts.delete(principal);
    }
  }

  /** Takes what has come since it was last looked at; returns what is left. */
  #count({ bucket, open }: Account): number {
    let came = 0;
    for (const [exchange, counted] of open) {
      const { received } = exchange;
      came += received - counted;
      open.set(exchange, received);
    }
    return bucket.take(came);
  }

  #look(): void {
    let anyOpen = false;
    for (const account of this.#accounts.values()) {
      if (account.open.size === 0) continue;
      anyOpen = true;
      if (this.#count(account) < 0) for (const exchange of account.open.keys()) exchange.cut();
    }
    if (anyOpen) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
