import { createRequire } from "node:module";
import type { Blake3, Blake3Hasher } from "./blake3.ts";

export type { Blake3, Blake3Hasher };

import { blake3 as portable } from "./blake3-portable.ts";

type NativeModule = typeof import("@napi-rs/blake-hash");

/** BLAKE3 in native code (6 to 8 GB/s), or the portable one where no prebuilt binary fits. */
export const blake3: Blake3 = loadNative() ?? portable;

function loadNative(): Blake3 | undefined {
  let native: NativeModule;
  try {
    native = createRequire(import.meta.url)("@napi-rs/blake-hash");
  } catch {
    // An optional dependency: absent on platforms it has no binary for.
    return undefined;
  }
  return {
    hash: (bytes) => toUint8Array(native.blake3(bytes)),
    createHasher: () => new NativeHasher(new native.Blake3Hasher()),
  };
}

class NativeHasher implements Blake3Hasher {
  readonly #hasher: InstanceType<NativeModule["Blake3Hasher"]>;

  constructor(hasher: InstanceType<NativeModule["Blake3Hasher"]>) {
    this.#hasher = hasher;
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  digest(): Uint8Array {
    return toUint8Array(this.#hasher.digestBuffer());
  }
}

/**
 * A copy: an array of so few bytes lies in the heap of the engine, where digests that are kept
 * by the thousand take a third of the memory that they take outside of it.
 */
function toUint8Array(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}
