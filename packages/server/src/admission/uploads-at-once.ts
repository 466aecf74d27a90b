import { KeyedCount } from "../keyed-count.ts";
import type { Caller } from "./access.ts";
import type { Exchange } from "./exchange.ts";
import { principalKeyOf } from "./principal-key.ts";
import { Refusal } from "./refusal.ts";

/** Counts what each principal stores at once. */
export class UploadsAtOnce {
  readonly #most: number;
  readonly #open = new KeyedCount();

  /** @param most of one principal */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Notes that one begins, until it ends; what does not store anything is not counted.
   *
   * @throws Refusal TOO_BUSY when there are too many
   */
  begin(exchange: Exchange, caller: Caller): void {
    if (exchange.needed !== "write" || this.#most === Number.POSITIVE_INFINITY) return;
    const principal = principalKeyOf(exchange, caller);
    if (this.#open.of(principal) >= this.#most) {
      throw new Refusal("TOO_BUSY", `${caller.name} may store ${this.#most} things at once`);
    }
    this.#open.add(principal);
    exchange.onEnd(() => this.#open.remove(principal));
  }
}
