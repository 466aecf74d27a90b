import { NixCompatError, quoted } from "./errors.ts";
import { isHashAlgorithm, NixHash } from "./nix-hash.ts";

/**
 * How the contents of a path are hashed: as a text file that may refer to other paths, as a
 * NAR, or the bytes of a single file.
 */
export type ContentAddressMethod = "text" | "nar" | "flat";

/** What a path is named by, when it is named by its contents. */
export interface ContentAddress {
  readonly method: ContentAddressMethod;
  /** SHA-256 for `text`; any algorithm for the others. */
  readonly hash: NixHash;
}

const PREFIXES = [
  ["text:", "text"],
  ["fixed:r:", "nar"],
  ["fixed:", "flat"],
] as const;

/**
 * Reads the text of narinfos: `text:sha256:…`, `fixed:r:algorithm:…` (NAR) or
 * `fixed:algorithm:…` (flat), with the digest in nixbase32, hex or padded base64.
 *
 * @throws NixCompatError INVALID_CONTENT_ADDRESS
 */
export function parseContentAddress(text: string): ContentAddress {
  for (const [prefix, method] of PREFIXES) {
    if (!text.startsWith(prefix)) continue;
    const [algorithm = "", encoded = "", ...more] = text.slice(prefix.length).split(":");
    if (!isHashAlgorithm(algorithm) || more.length > 0) throw invalid(text, "it has no algorithm of Nix");
    if (method === "text" && algorithm !== "sha256") throw invalid(text, "a text is hashed with sha256");
    try {
      return { method, hash: NixHash.parse(`${algorithm}:${encoded}`) };
    } catch (cause) {
      throw invalid(text, (cause as Error).message, cause);
    }
  }
  throw invalid(text, "it begins with neither text: nor fixed:");
}

/** Writes what {@link parseContentAddress} reads. */
export function formatContentAddress({ method, hash }: ContentAddress): string {
  const prefix = { text: "text:", nar: "fixed:r:", flat: "fixed:" }[method];
  return `${prefix}${hash}`;
}

function invalid(text: string, why: string, cause?: unknown): NixCompatError {
  return new NixCompatError("INVALID_CONTENT_ADDRESS", `not a content address: ${quoted(text)}: ${why}`, {
    cause,
  });
}
