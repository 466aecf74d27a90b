import type { Logger } from "pino";
import { isLocalAddress, type ListenAddress } from "../listen/listen-address.ts";
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

/** The access that the command line asks for; says so where it leaves the store open to other machines. */
export function accessOf(
  options: AccessCommandOptions,
  addresses: readonly ListenAddress[],
  log: Logger,
): AccessOptions {
  const { reads, writes, allowedHost = [], oidcRules } = options;
  const onFailure = (error: unknown) => log.error({ err: error }, "the changed tokens cannot be read");
  const tokens = new KnownTokens(tokenFileOf(options), onFailure);
  const isLocal = addresses.every(isLocalAddress);
  if (!isLocal && writes === "open") {
    log.warn("anybody who can connect may add to this store (--writes open)");
  }
  if (!isLocal && writes === "auto" && !tokens.any && oidcRules === undefined) {
    log.warn("other machines can connect, so adding needs a token: make one with `tvix-store token create`");
  }
  return {
    authenticators: [
      new TokenAuthenticator(tokens),
      ...(oidcRules === undefined ? [] : [new OidcAuthenticator(readOidcRules(oidcRules), log)]),
    ],
    open: { reads: reads === "open", writes: writes === "auto" ? "auto" : writes === "open" },
    allowedHosts: allowedHost,
  };
}
