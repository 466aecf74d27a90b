import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ImportSigner, ImportVerifier } from "../src/keys/ed25519.ts";
import * as node from "../src/keys/ed25519-node.ts";
import * as portable from "../src/keys/ed25519-portable.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

/** RFC 8032, 7.1, the first three: seed, public key, message, signature. */
const VECTORS = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
].map((row) => row.map(hex)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array][];

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A signature with another number at its end, which stands for the same one modulo the order of the base point. */
function otherEncoding(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + ORDER;
  const bytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return Uint8Array.from([...signature.subarray(0, 32), ...bytes]);
}

const engines: readonly [string, { importSigner: ImportSigner; importVerifier: ImportVerifier }][] = [
  ["OpenSSL", node],
  ["JavaScript", portable],
];

describe.each(engines)("Ed25519 by %s", (_, { importSigner, importVerifier }) => {
  test.each(VECTORS)("signs and verifies as RFC 8032 says", (seed, publicKey, message, signature) => {
    expect(importSigner(seed, publicKey)(message)).toEqual(signature);
    const verify = importVerifier(publicKey);
    expect(verify(message, signature)).toBe(true);
    expect(verify(Uint8Array.of(...message, 0), signature)).toBe(false);
    for (let bit = 0; bit < 512; bit += 7) {
      const other = signature.slice();
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verify(message, other)).toBe(false);
    }
  });

  test("takes one encoding of a signature only", () => {
    for (const [, publicKey, message, signature] of VECTORS) {
      expect(importVerifier(publicKey)(message, otherEncoding(signature))).toBe(false);
    }
  });
});

test("both make the same signatures, and take those of each other", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(bytes(32), fc.uint8Array({ maxLength: 500 }), bytes(64), (seed, message, garbage) => {
      const publicKey = ed25519.getPublicKey(seed);
      const [one, other] = engines.map(([, engine]) => engine.importSigner(seed, publicKey)(message));
      expect(one).toEqual(other);
      for (const [, { importVerifier }] of engines) {
        expect(importVerifier(publicKey)(message, one as Uint8Array)).toBe(true);
        expect(importVerifier(publicKey)(message, garbage)).toBe(false);
      }
    }),
    { numRuns: 30 },
  );
});
