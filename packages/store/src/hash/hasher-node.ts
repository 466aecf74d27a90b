import { createHash } from "node:crypto";
import type { CreateHasher } from "./hasher.ts";

export type { CreateHasher, Hasher } from "./hasher.ts";

/** Digests by OpenSSL: SHA-256 at 1.7 GB/s. */
export const createHasher: CreateHasher = (algorithm) => {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    digest: () => new Uint8Array(hash.digest()),
  };
};
