import { createHash } from "node:crypto";
import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Authenticator, Caller } from "../admission/access.ts";
import { Refusal } from "../admission/refusal.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { meetsClaims, type OidcRule } from "./rules.ts";

/** What signatures may be made with: keys of issuers are public, so nothing with a shared secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** By how much clocks may differ, in seconds. */
const CLOCK_TOLERANCE_S = 30;

/** Tokens that were verified and are remembered until they expire. */
const REMEMBERED = 1000;

/** Three parts in base64url: a JSON Web Token, signed or not. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Knows identity tokens of issuers such as CI systems, as OpenID Connect has them, by rules. */
export class OidcAuthenticator implements Authenticator {
  readonly #rules: readonly OidcRule[];
  readonly #keys: ReadonlyMap<string, IssuerKeys>;
  readonly #log: Logger;
  readonly #verified: LRUCache<string, { caller: Caller; expires: number }> = new LRUCache({
    max: REMEMBERED,
  });

  constructor(rules: readonly OidcRule[], log: Logger) {
    this.#rules = rules;
    this.#keys = new Map(rules.map(({ issuer }) => [issuer, new IssuerKeys(issuer)]));
    this.#log = log;
  }

  get any(): boolean {
    return this.#rules.length > 0;
  }

  authenticate(token: string): Caller | undefined | Promise<Caller> {
    if (!JWT.test(token)) return undefined;
    const key = createHash("sha256").update(token).digest("base64");
    const known = this.#verified.get(key);
    if (known !== undefined && Date.now() < known.expires) return known.caller;
    return this.#verify(token, key);
  }

  async #verify(token: string, key: string): Promise<Caller> {
    const { issuer } = issuerOf(token);
    const keys = issuer === undefined ? undefined : this.#keys.get(issuer);
    if (issuer === undefined || keys === undefined) {
      throw invalid(`tokens of the issuer ${shown(issuer)} are not taken here`);
    }
    const payload = await this.#check(token, issuer, keys);
    const rule = this.#rules.find(
      (one) =>
        one.issuer === issuer && audiencesOf(payload).includes(one.audience) && meetsClaims(payload, one),
    );
    if (rule === undefined) {
      throw new Refusal("FORBIDDEN", `no rule is for what the token of ${shown(payload.sub)} claims`);
    }
    const caller = callerOf(payload, rule);
    this.#verified.set(key, { caller, expires: (payload.exp as number) * 1000 });
    return caller;
  }

  async #check(token: string, issuer: string, keys: IssuerKeys): Promise<JWTPayload> {
    const audience = this.#rules.filter((rule) => rule.issuer === issuer).map((rule) => rule.audience);
    try {
      const { payload } = await jwtVerify(token, await keys.get(), {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ["exp", "iat"],
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError && !isOfKeys(error)) {
        throw invalid(`the identity token is not valid: ${error.message}`);
      }
      this.#log.warn({ err: error, issuer }, "the keys of an issuer cannot be had");
      throw new Refusal("TOO_BUSY", `the keys of ${issuer} cannot be had now`);
    }
  }
}

/** Failures to get keys, other than that there is none for a token. */
function isOfKeys(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === "ERR_JOSE_GENERIC"
  );
}

function issuerOf(token: string): { issuer: string | undefined } {
  try {
    return { issuer: decodeJwt(token).iss };
  } catch {
    throw invalid("the identity token cannot be read");
  }
}

function audiencesOf({ aud }: JWTPayload): readonly string[] {
  return aud === undefined ? [] : Array.isArray(aud) ? aud : [aud];
}

function callerOf(payload: JWTPayload, { scope, prefix }: OidcRule): Caller {
  return {
    name: `${shown(payload.sub)} of ${payload.iss}`,
    scope,
    mayReplace: scope === "admin",
    pathPrefix: prefix,
  };
}

/** A claim for a message; of a token that is not verified it may be anything. */
function shown(claim: unknown): string {
  return claim === undefined ? "nobody" : (JSON.stringify(claim) ?? "").slice(0, 200);
}

function invalid(message: string): Refusal {
  return new Refusal("UNAUTHENTICATED", message);
}
