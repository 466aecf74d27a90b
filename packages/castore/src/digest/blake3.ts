/** A BLAKE3 computation over bytes that arrive in pieces. */
export interface Blake3Hasher {
  /** Takes the next bytes. They are not kept. */
  update(bytes: Uint8Array): void;
  /** The 32-byte digest of everything so far. Called once, last. */
  digest(): Uint8Array;
}

/** An implementation of BLAKE3 with 32-byte output. All of them agree; a test says so. */
export interface Blake3 {
  /** Digest of bytes at hand. */
  hash(bytes: Uint8Array): Uint8Array;
  /** Starts a digest of bytes to come. */
  createHasher(): Blake3Hasher;
}
