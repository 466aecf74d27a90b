/** A NAR never changes: whoever has it may keep it for a year, and nobody is to recompress it. */
export const IMMUTABLE = "max-age=31536000, immutable, no-transform";

/** What may be signed again, be replaced or vanish: proxies keep it for a minute. */
export const SHORT_LIVED = "max-age=60, no-transform";

// Neither says `public`: what somebody got with a token is kept by nobody in between.
