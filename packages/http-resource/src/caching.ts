/** A NAR never changes: whoever has it may keep it for a year, and nobody is to recompress it. */
export const IMMUTABLE = "public, max-age=31536000, immutable, no-transform";

/** What may be signed again, be replaced or vanish: proxies keep it for a minute. */
export const SHORT_LIVED = "public, max-age=60, no-transform";
