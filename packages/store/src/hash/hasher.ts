import type { HashAlgorithm } from "@tvix/nix-compat";

/** A digest over bytes that arrive in pieces. */
export interface Hasher {
  /** Takes the next bytes. They are not kept. */
  update(bytes: Uint8Array): void;
  /** The digest of everything so far. Called once, last. */
  digest(): Uint8Array;
}

/** Starts a digest. Both implementations agree; a test says so. */
export type CreateHasher = (algorithm: HashAlgorithm) => Hasher;
