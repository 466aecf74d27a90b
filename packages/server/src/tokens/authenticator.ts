import type { Authenticator, Caller } from "../admission/access.ts";
import { Refusal } from "../admission/refusal.ts";
import type { KnownTokens } from "./known-tokens.ts";

/** Knows the tokens that `tvix-store token create` has made. */
export class TokenAuthenticator implements Authenticator {
  readonly #tokens: KnownTokens;

  constructor(tokens: KnownTokens) {
    this.#tokens = tokens;
  }

  get any(): boolean {
    return this.#tokens.any;
  }

  authenticate(token: string): Caller | undefined {
    const record = this.#tokens.find(token);
    if (record === undefined) return undefined;
    const { name, id, scope, prefix, expires } = record;
    if (expires !== undefined && expires.getTime() <= Date.now()) {
      throw new Refusal("UNAUTHENTICATED", `the token ${id} has expired on ${expires.toISOString()}`);
    }
    return { name: `${name} (token ${id})`, scope, mayReplace: scope === "admin", pathPrefix: prefix };
  }
}
