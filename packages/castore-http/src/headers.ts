/**
 * What a tree has never changes: whoever has a part of it may keep it for a year. Neither this nor the other says
 * `public`: what somebody got with a token is kept by nobody in between.
 */
const IMMUTABLE = "max-age=31536000, immutable";

/** What is served by a name that may mean something else tomorrow. */
const SHORT_LIVED = "max-age=60";

/**
 * Headers of everything that is served out of a store: it is what its type says, and as a page it runs nothing, has
 * no origin, and gets styles, pictures and fonts from here only.
 */
const INERT = {
  "x-content-type-options": "nosniff",
  "content-security-policy":
    "sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; media-src 'self'",
  "cross-origin-resource-policy": "same-origin",
};

/** @param isImmutable whether the address holds a digest */
export function headersOf(isImmutable: boolean, type: string): Readonly<Record<string, string>> {
  // A directory is a page, its index or JSON, as a client wants it.
  return {
    ...INERT,
    vary: "accept",
    "cache-control": isImmutable ? IMMUTABLE : SHORT_LIVED,
    "content-type": type,
  };
}
