import type { Blake3 } from "./blake3.ts";
import { blake3 as portable } from "./blake3-portable.ts";

let inUse: Blake3 = portable;

/** The implementation that all digests are computed with. */
export const blake3: Blake3 = {
  hash: (bytes) => inUse.hash(bytes),
  createHasher: () => inUse.createHasher(),
};

/**
 * Has all digests that are begun from now on computed by another implementation: a native one, which
 * `@tvix/blake3-native` brings. All implementations give the same digests.
 */
export function useBlake3(implementation: Blake3): void {
  inUse = implementation;
}
