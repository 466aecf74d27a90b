import { blake3 as noble } from "@noble/hashes/blake3.js";
import { createBLAKE3, type IHasher } from "hash-wasm";
import type { Blake3, Blake3Hasher } from "./blake3.ts";

/**
 * BLAKE3 for every JavaScript engine: plain JavaScript (45 MB/s) at once, WebAssembly
 * (500 MB/s) as soon as its module is compiled. Where WebAssembly is forbidden, plain
 * JavaScript goes on serving.
 */
export const blake3: Blake3 = {
  hash(bytes) {
    const wasm = compiled();
    if (wasm === undefined) return noble(bytes);
    return wasm.init().update(bytes).digest("binary");
  },
  createHasher() {
    const wasm = compiled();
    return wasm === undefined ? noble.create() : new WasmHasher(wasm);
  },
};

let compilation: Promise<void> | undefined;
let isSettled = false;
let shared: IHasher | undefined;

/** The one WebAssembly instance, once it is there; the first call begins to make it. */
function compiled(): IHasher | undefined {
  compilation ??= compile();
  return shared;
}

async function compile(): Promise<void> {
  try {
    shared = await createBLAKE3();
  } catch {
    // Forbidden by a content security policy, say: plain JavaScript serves.
  }
  isSettled = true;
}

/** Resolves when the fast implementation is in use, or known to be out of reach. */
export async function blake3Ready(): Promise<void> {
  compiled();
  await compilation;
}

/** Whether that has been resolved; the first call begins to make it. */
export function isBlake3Ready(): boolean {
  compiled();
  return isSettled;
}

/** Whether WebAssembly is in use. */
export function hasWebAssembly(): boolean {
  return compiled() !== undefined;
}

/** Hashers take turns on the one instance; each keeps its own state between turns. */
class WasmHasher implements Blake3Hasher {
  readonly #wasm: IHasher;
  #state: Uint8Array | undefined;

  constructor(wasm: IHasher) {
    this.#wasm = wasm;
  }

  update(bytes: Uint8Array): void {
    this.#state = this.#resume().update(bytes).save();
  }

  digest(): Uint8Array {
    return this.#resume().digest("binary");
  }

  #resume(): IHasher {
    return this.#state === undefined ? this.#wasm.init() : this.#wasm.load(this.#state);
  }
}
