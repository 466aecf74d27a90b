import { KeyedCount } from "../keyed-count.ts";
import { networkOf } from "../listen/connections.ts";
import type { Exchange } from "./exchange.ts";
import { Refusal } from "./refusal.ts";

/**
 * Bounds the requests that are under way, in all and from one address: each takes some memory, however
 * little it asks for, and a connection of HTTP/2 may have hundreds.
 */
export class OpenRequests {
  readonly #most: number;
  readonly #mostOfAddress: number;
  readonly #ofAddress = new KeyedCount();
  #open = 0;

  /** @param most in all; from one address half of them, so that others find room */
  constructor(most: number) {
    this.#most = most;
    this.#mostOfAddress = Math.max(1, Math.floor(most / 2));
  }

  /**
   * Counts one.
   *
   * @returns its address, for {@link end}
   */
  begin(exchange: Exchange): string {
    const address = networkOf(exchange.from);
    this.#open++;
    this.#ofAddress.add(address);
    return address;
  }

  /**
   * Whether one more may be served.
   *
   * @throws Refusal TOO_BUSY when there are too many, this one included
   */
  check(address: string): void {
    // Whoever comes through a Unix socket may be anybody.
    const ofAddress = address === "" ? 0 : this.#ofAddress.of(address);
    if (this.#open > this.#most || ofAddress > this.#mostOfAddress) {
      throw new Refusal("TOO_BUSY", "too many requests are under way");
    }
  }

  /** Counts one no more. */
  end(address: string): void {
    this.#open--;
    this.#ofAddress.remove(address);
  }
}
