import { createRequire } from "node:module";
import { type Blake3, type Blake3Hasher, useBlake3 } from "@tvix/castore";

type NativeModule = typeof import("@napi-rs/blake-hash");

let loaded: { readonly blake3: Blake3 | undefined } | undefined;

/** BLAKE3 in native code, where there is a prebuilt binary for this platform. */
export function nativeBlake3(): Blake3 | undefined {
  loaded ??= { blake3: loadNative() };
  return loaded.blake3;
}

/**
 * Has `@tvix/castore` compute digests in native code: 6 to 8 GB/s in place of 500 MB/s. Calling it
 * again changes nothing.
 *
 * @returns whether it does; where there is no binary for this platform, WebAssembly goes on serving
 */
export function useNativeBlake3(): boolean {
  const blake3 = nativeBlake3();
  if (blake3 !== undefined) useBlake3(blake3);
  return blake3 !== undefined;
}

function loadNative(): Blake3 | undefined {
  let module: NativeModule;
  try {
    module = createRequire(import.meta.url)("@napi-rs/blake-hash");
  } catch {
    // An optional dependency: absent on platforms it has no binary for.
    return undefined;
  }
  return {
    hash: (bytes) => toUint8Array(module.blake3(bytes)),
    createHasher: () => new NativeHasher(new module.Blake3Hasher()),
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
