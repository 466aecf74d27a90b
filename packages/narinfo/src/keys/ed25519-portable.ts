import { ed25519 } from "@noble/curves/ed25519.js";
import type { ImportSigner, ImportVerifier } from "./ed25519.ts";

export type { ImportSigner, ImportVerifier } from "./ed25519.ts";

/** Verifies in JavaScript, in any engine. */
export const importVerifier: ImportVerifier = (publicKey) => (message, signature) =>
  ed25519.verify(signature, message, publicKey, { zip215: false });

/** Signs in JavaScript, in any engine. */
export const importSigner: ImportSigner = (seed) => (message) => ed25519.sign(message, seed);
