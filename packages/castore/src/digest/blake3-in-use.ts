import type { Blake3 } from "./blake3.ts";
import { blake3Ready, hasWebAssembly, isBlake3Ready, blake3 as portable } from "./blake3-portable.ts";

/** Up to here, in bytes, WebAssembly is quicker than a call of native code, which has to make a buffer for its result. */
const SHORT_BYTES = 1024;

let inUse: Blake3 = portable;

/** The implementation that all digests are computed with. */
export const blake3: Blake3 = {
  hash: (bytes) => (bytes.length <= SHORT_BYTES && hasWebAssembly() ? portable : inUse).hash(bytes),
  createHasher: () => inUse.createHasher(),
};

/**
 * What resolves when digests are computed as fast as they will be; undefined when they are. Whoever has much to compute waits
 * for it: what is in memory alone comes without any turn of the event loop in which WebAssembly could become ready.
 */
export function digestsSettling(): Promise<void> | undefined {
  return inUse === portable && !isBlake3Ready() ? blake3Ready() : undefined;
}

/**
 * Has all digests that are begun from now on computed by another implementation: a native one, which
 * `@tvix/blake3-native` brings. All implementations give the same digests.
 */
export function useBlake3(implementation: Blake3): void {
  inUse = implementation;
}
