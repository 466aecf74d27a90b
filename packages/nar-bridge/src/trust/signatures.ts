import { fingerprint, type NarInfo } from "@tvix/narinfo";
import { NarBridgeError } from "../errors.ts";
import type { UploadTrust } from "../options.ts";

/**
 * Checks that a path is signed by a key that is trusted, where that is asked for.
 *
 * @throws NarBridgeError UNTRUSTED that names the keys that were tried, and those that signed
 */
export function checkSignatures(info: NarInfo, { unsigned = "accept", trustedKeys = [] }: UploadTrust): void {
  if (unsigned === "accept") return;
  // Nix signs over sorted references, whatever their order in the text.
  const references = [...info.references].sort((one, other) => one.compare(other));
  const texts = [fingerprint(info), fingerprint({ ...info, references })];
  const trusted = info.signatures.some((signature) =>
    trustedKeys.some((key) => texts.some((text) => key.verify(text, signature))),
  );
  if (trusted) return;
  const tried = trustedKeys.map(({ name }) => name).join(", ") || "none";
  const signers = info.signatures.map(({ name }) => name.slice(0, 100)).join(", ") || "nobody";
  throw new NarBridgeError(
    "UNTRUSTED",
    `${info.storePath} has no signature by a trusted key; keys tried: ${tried}; signed by: ${signers}`,
  );
}
