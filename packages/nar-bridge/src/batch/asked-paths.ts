import { encodeNixbase32 } from "@tvix/nix-compat";
import { NarBridgeError } from "../errors.ts";
import { parsePathDigest, shown } from "../http/paths.ts";

/**
 * Reads what is asked for at once: the 32 digits of a store path on each line, each looked up once.
 *
 * @returns digests by their digits
 * @throws NarBridgeError INVALID_REQUEST that tells the line
 */
export function parseAskedPaths(text: string): ReadonlyMap<string, Uint8Array> {
  const asked = new Map<string, Uint8Array>();
  for (const [index, line] of text.split("\n").entries()) {
    const digits = line.trim();
    if (digits === "") continue;
    const digest = parsePathDigest(digits);
    if (digest === undefined) {
      const why = `line ${index + 1}: ${shown(digits)} is not the hash part of a store path, 32 digits of nixbase32`;
      throw new NarBridgeError("INVALID_REQUEST", why);
    }
    asked.set(encodeNixbase32(digest), digest);
  }
  return asked;
}
