import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import type { ImportSigner, ImportVerifier } from "./ed25519.ts";

export type { ImportSigner, ImportVerifier } from "./ed25519.ts";

const base64url = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");

/** A public key in the form of RFC 8037. */
const jwk = (publicKey: Uint8Array) => ({ kty: "OKP", crv: "Ed25519", x: base64url(publicKey) });

/** Verifies by OpenSSL, some twelve times as fast as JavaScript. */
export const importVerifier: ImportVerifier = (publicKey) => {
  const key = createPublicKey({ key: jwk(publicKey), format: "jwk" });
  return (message, signature) => verify(undefined, message, key, signature);
};

/** Signs by OpenSSL. */
export const importSigner: ImportSigner = (seed, publicKey) => {
  const key = createPrivateKey({ key: { ...jwk(publicKey), d: base64url(seed) }, format: "jwk" });
  return (message) => new Uint8Array(sign(undefined, message, key));
};
