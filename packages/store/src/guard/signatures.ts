import { type Fingerprinted, fingerprint, type PublicKey, type Signature } from "@tvix/narinfo";
import { StoreError } from "../errors/store-error.ts";

/**
 * Checks that a path is signed by one of some keys.
 *
 * @throws StoreError UNTRUSTED that names the keys that were tried, and those that signed
 */
export function checkSignatures(
  info: Fingerprinted & { readonly signatures: readonly Signature[] },
  trustedKeys: readonly PublicKey[],
): void {
  // Nix signs over sorted references, whatever their order in the text.
  const references = [...info.references].sort((one, other) => one.compare(other));
  const texts = [fingerprint(info), fingerprint({ ...info, references })];
  const trusted = info.signatures.some((signature) =>
    trustedKeys.some((key) => texts.some((text) => key.verify(text, signature))),
  );
  if (trusted) return;
  const tried = trustedKeys.map(({ name }) => name).join(", ") || "none";
  const signers = info.signatures.map(({ name }) => name.slice(0, 100)).join(", ") || "nobody";
  throw new StoreError(
    "UNTRUSTED",
    `${info.storePath} has no signature by a trusted key; keys tried: ${tried}; signed by: ${signers}`,
  );
}
