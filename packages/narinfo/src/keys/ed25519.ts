/**
 * Takes a public key, 32 bytes that are a point of the curve and not of small order, to verify
 * with: whether 64 bytes are its signature of a message, by RFC 8032, in the one encoding that it allows.
 */
export type ImportVerifier = (
  publicKey: Uint8Array,
) => (message: Uint8Array, signature: Uint8Array) => boolean;

/** Takes a seed of 32 bytes, and the public key that belongs to it, to sign with: 64 bytes, always the same for the same message. */
export type ImportSigner = (seed: Uint8Array, publicKey: Uint8Array) => (message: Uint8Array) => Uint8Array;
