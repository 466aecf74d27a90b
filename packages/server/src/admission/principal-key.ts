import { networkOf } from "../listen/connections.ts";
import { ANYBODY, type Caller } from "./access.ts";
import type { Exchange } from "./exchange.ts";

/** Whom limits for each principal count as one: those without a token by the address they come from. */
export function principalKeyOf(exchange: Exchange, caller: Caller): string {
  return caller.name === ANYBODY.name ? `at ${networkOf(exchange.from)}` : caller.name;
}
