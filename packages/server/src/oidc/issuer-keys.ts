import { createRemoteJWKSet, type RemoteJWKSet } from "jose";

/** Time for one answer of an issuer, in milliseconds. */
const TIMEOUT_MS = 5000;

/** How long keys are taken for current, in milliseconds; one that is not among them is asked for sooner. */
const KEYS_MS = 600_000;

/** How long an issuer that has failed is left alone, in milliseconds. */
const FAILURE_MS = 10_000;

/**
 * The keys of an issuer, found as OpenID Connect Discovery 1.0 says: fetched when they are first needed
 * and again when they are old or one is missing.
 */
export class IssuerKeys {
  readonly #issuer: string;
  #found: Promise<RemoteJWKSet> | undefined;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** @throws Error when the issuer cannot be asked, or does not say where its keys are */
  async get(): Promise<RemoteJWKSet> {
    if (this.#found === undefined) {
      const finding = this.#find();
      this.#found = finding;
      finding.catch(() => {
        setTimeout(() => {
          if (this.#found === finding) this.#found = undefined;
        }, FAILURE_MS).unref();
      });
    }
    return await this.#found;
  }

  async #find(): Promise<RemoteJWKSet> {
    const address = `${this.#issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
    if (!response.ok) throw new Error(`${address} answers ${response.status}`);
    const { issuer, jwks_uri: keys } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (issuer !== this.#issuer) throw new Error(`${address} is that of another issuer`);
    if (typeof keys !== "string" || !URL.canParse(keys)) throw new Error(`${address} names no keys`);
    return createRemoteJWKSet(new URL(keys), { timeoutDuration: TIMEOUT_MS, cacheMaxAge: KEYS_MS });
  }
}
