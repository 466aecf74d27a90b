import type { Blake3 } from "./blake3.ts";
import { blake3Ready, blake3 as portable } from "./blake3-portable.ts";

let inUse: Blake3 = portable;

/** The implementation that all digests are computed with. */
export const blake3: Blake3 = {
  hash: (bytes) => inUse.hash(bytes),
  createHasher: () => inUse.createHasher(),
};

/**
 * What resolves when digests are computed as fast as they will be; undefined when they are. Whoever has much to compute waits
 * for it: what is in memory alone comes without any turn of the event loop in which WebAssembly could become ready.
 */
export function digestsSettling(): Promise<void> | undefined {
  return inUse === portable && !isReady ? ready() : undefined;
}

let isReady = false;

async function ready(): Promise<void> {
  await blake3Ready();
  isReady = true;
}

/**
 * Has all digests that are begun from now on computed by another implementation: a native one, which
 * `@tvix/blake3-native` brings. All implementations give the same digests.
 */
export function useBlake3(implementation: Blake3): void {
  inUse = implementation;
}
