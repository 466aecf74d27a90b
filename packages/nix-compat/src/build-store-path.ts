import { sha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "@tvix/byte-stream";
import type { ContentAddress } from "./content-address.ts";
import { NixCompatError } from "./errors.ts";
import type { NixHash } from "./nix-hash.ts";
import { encodeNixbase32 } from "./nixbase32.ts";
import { STORE_DIR, STORE_PATH_DIGEST_LENGTH, StorePath } from "./store-path.ts";

/** Paths that an object refers to. */
export interface StorePathReferences {
  /** Other objects, in any order. */
  readonly references?: readonly StorePath[];
  /** Whether it refers to itself. Default false. */
  readonly self?: boolean;
}

/**
 * The store path of contents.
 *
 * @throws NixCompatError INVALID_STORE_PATH for the name, INVALID_CONTENT_ADDRESS when this
 *   kind of address cannot have the references
 */
export function buildContentAddressedPath(
  name: string,
  { method, hash }: ContentAddress,
  { references = [], self = false }: StorePathReferences = {},
): StorePath {
  if (method === "text") {
    if (self) throw unsupported("a text cannot refer to itself");
    return build(typeWithReferences("text", references, false), hash, name);
  }
  if (method === "nar" && hash.algorithm === "sha256") {
    return build(typeWithReferences("source", references, self), hash, name);
  }
  if (references.length > 0 || self) {
    throw unsupported("only texts and NARs hashed with sha256 can have references");
  }
  const recursive = method === "nar" ? "r:" : "";
  const description = `fixed:out:${recursive}${hash.algorithm}:${hash.toHex()}:`;
  return build("output:out", { digest: sha256(encode(description)) }, name);
}

/**
 * The path of an output of a derivation that is named by its inputs.
 *
 * @param derivationHash SHA-256 of the derivation with its inputs replaced, as Nix computes it
 * @param derivationName without `.drv`
 * @param output such as `out`, which alone is not part of the name
 * @throws NixCompatError INVALID_STORE_PATH for the name
 */
export function buildOutputPath(
  derivationHash: Pick<NixHash, "digest">,
  derivationName: string,
  output = "out",
): StorePath {
  const name = output === "out" ? derivationName : `${derivationName}-${output}`;
  return build(`output:${output}`, derivationHash, name);
}

/** What stands for the path of an output inside its own derivation, until it is known. */
export function outputPlaceholder(output: string): string {
  return `/${encodeNixbase32(sha256(encode(`nix-output:${output}`)))}`;
}

/** References are part of the type: sorted, and the path itself last, as Nix does it. */
function typeWithReferences(type: string, references: readonly StorePath[], self: boolean): string {
  const sorted = [...new Set(references.map((reference) => reference.toAbsolute()))].sort();
  return [type, ...sorted, ...(self ? ["self"] : [])].join(":");
}

function build(type: string, { digest }: Pick<NixHash, "digest">, name: string): StorePath {
  const fingerprint = `${type}:sha256:${encodeHex(digest)}:${STORE_DIR}:${name}`;
  return StorePath.from(fold(sha256(encode(fingerprint))), name);
}

/** A longer digest as one of 20 bytes: all bytes whose places are equal modulo 20, by XOR. */
function fold(digest: Uint8Array): Uint8Array {
  const folded = new Uint8Array(STORE_PATH_DIGEST_LENGTH);
  digest.forEach((byte, index) => {
    const place = index % STORE_PATH_DIGEST_LENGTH;
    folded[place] = (folded[place] as number) ^ byte;
  });
  return folded;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function unsupported(why: string): NixCompatError {
  return new NixCompatError("INVALID_CONTENT_ADDRESS", why);
}
