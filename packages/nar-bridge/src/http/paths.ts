import { decodeHex } from "@tvix/byte-stream";
import { decodeNixbase32, NixHash } from "@tvix/nix-compat";
import { type Compression, compressionOfSuffix } from "../compression/compression.ts";
import { NarBridgeError } from "../errors.ts";

/** A file in `nar/`. */
export interface NarFileName {
  /** SHA-256 of the NAR, or of the file itself. */
  readonly hash: NixHash;
  readonly compression: Compression;
}

/** nixbase32 or hexadecimal, perhaps behind the digest of a store path as with nix-serve. */
const NAR_FILE = /^(?:[0-9a-z]{32}-)?([0-9a-z]{52}|[0-9a-f]{64})\.nar(\.[a-z0-9]+)?$/;

/** Reads the name of a file in `nar/`; undefined for what cannot be one. */
export function parseNarFileName(name: string): NarFileName | undefined {
  const [, digits, suffix = ""] = NAR_FILE.exec(name) ?? [];
  const compression = compressionOfSuffix(suffix);
  if (digits === undefined || compression === undefined) return undefined;
  const digest = decoded(() => (digits.length === 64 ? decodeHex(digits) : decodeNixbase32(digits)));
  return digest === undefined ? undefined : { hash: NixHash.from("sha256", digest), compression };
}

/** Reads the 32 digits of a store path; undefined for what cannot be some. */
export function parsePathDigest(digits: string): Uint8Array | undefined {
  return digits.length === 32 ? decoded(() => decodeNixbase32(digits)) : undefined;
}

function decoded(decode: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return decode();
  } catch {
    // Whatever is wrong with it: there is no such file.
    return undefined;
  }
}

/** What to answer where a path names nothing that could ever be here. */
export function noSuchFile(what: string): NarBridgeError {
  return new NarBridgeError("NOT_FOUND", `${what} is not here`);
}

/** The beginning of what a client sent, as a line of text can have it. */
export function shown(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
