import type { Logger } from "pino";
import { type BoundAddress, isLocalAddress } from "../listen/listen-address.ts";
import { OidcAuthenticator } from "../oidc/authenticator.ts";
import { readOidcRules } from "../oidc/rules.ts";
import type { AccessOptions } from "../server.ts";
import { TokenAuthenticator } from "../tokens/authenticator.ts";
import { KnownTokens } from "../tokens/known-tokens.ts";
import { type TokenFileOptions, tokenFileOf } from "./token-commands.ts";

/** What the command line says of who may do what. */
export interface AccessCommandOptions extends TokenFileOptions {
  readonly reads: "open" | "token";
  readonly writes: "auto" | "open" | "token";
  readonly allowedHost?: readonly string[];
  readonly oidcRules?: string;
}

/** The access that the command line asks for. */
export function accessOf(options: AccessCommandOptions, log: Logger): AccessOptions {
  const { reads, writes, allowedHost = [], oidcRules } = options;
  const onFailure = (error: unknown) => log.error({ err: error }, "the changed tokens cannot be read");
  const tokens = new KnownTokens(tokenFileOf(options), onFailure);
  return {
    authenticators: [
      new TokenAuthenticator(tokens),
      ...(oidcRules === undefined ? [] : [new OidcAuthenticator(readOidcRules(oidcRules), log)]),
    ],
    open: { reads: reads === "open", writes: writes === "auto" ? "auto" : writes === "open" },
    allowedHosts: allowedHost,
  };
}

/** Says so where a store is open to other machines, or nobody of them can add to it. */
export function warnOfAccess(
  { writes }: AccessCommandOptions,
  { authenticators = [] }: AccessOptions,
  addresses: readonly BoundAddress[],
  log: Logger,
): void {
  if (addresses.every(isLocalAddress)) return;
  if (writes === "open") log.warn("anybody who can connect may add to this store (--writes open)");
  if (writes === "auto" && !authenticators.some(({ any }) => any)) {
    log.warn("other machines can connect, so adding needs a token: make one with `tvix-store token create`");
  }
}
