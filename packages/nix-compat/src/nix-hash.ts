import { decodeBase64, decodeHex, encodeBase64, encodeHex } from "@tvix/byte-stream";
import { NixCompatError, quoted } from "./errors.ts";
import { decodeNixbase32, encodeNixbase32, nixbase32Length } from "./nixbase32.ts";

/** Length of the digest of each algorithm that Nix knows, in bytes. */
export const DIGEST_LENGTHS = { md5: 16, sha1: 20, sha256: 32, sha512: 64 } as const;

/** An algorithm that Nix knows. */
export type HashAlgorithm = keyof typeof DIGEST_LENGTHS;

/** Whether a text names a {@link HashAlgorithm}. */
export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(DIGEST_LENGTHS, text);
}

/** A digest with its algorithm. */
export class NixHash {
  readonly algorithm: HashAlgorithm;
  /** As long as the algorithm has it. Shared, not copied: it must not be changed. */
  readonly digest: Uint8Array;

  private constructor(algorithm: HashAlgorithm, digest: Uint8Array) {
    this.algorithm = algorithm;
    this.digest = digest;
  }

  /**
   * Takes over a digest, which must not change afterwards.
   *
   * @throws NixCompatError INVALID_HASH when its length does not fit the algorithm
   */
  static from(algorithm: HashAlgorithm, digest: Uint8Array): NixHash {
    const expected = DIGEST_LENGTHS[algorithm];
    if (digest.length === expected) return new NixHash(algorithm, digest);
    const text = `a digest of ${algorithm} has ${expected} bytes, not ${digest.length}`;
    throw new NixCompatError("INVALID_HASH", text);
  }

  /**
   * Reads any text form: `algorithm:` and nixbase32, hex of either case or padded base64, told
   * apart by length; `algorithm-` and base64 (SRI), of which whatever follows the digest and
   * any number of padding characters is forgiven, as Nix does; or the digest alone.
   *
   * @param algorithm of a digest without one; one that the text has must be the same
   * @throws NixCompatError INVALID_HASH
   */
  static parse(text: string, algorithm?: HashAlgorithm): NixHash {
    const separator = /[:-]/.exec(text);
    if (separator === null) {
      if (algorithm === undefined) throw invalid(text, "it does not say which algorithm");
      return new NixHash(algorithm, decodeByLength(text, text, algorithm));
    }
    const name = text.slice(0, separator.index);
    const rest = text.slice(separator.index + 1);
    if (!isHashAlgorithm(name)) throw invalid(text, `${quoted(name)} is no algorithm of Nix`);
    if (algorithm !== undefined && algorithm !== name) throw invalid(text, `it is not ${algorithm}`);
    const digest = separator[0] === ":" ? decodeByLength(text, rest, name) : decodeSri(text, rest, name);
    return new NixHash(name, digest);
  }

  equals(other: NixHash): boolean {
    return this.algorithm === other.algorithm && this.toHex() === other.toHex();
  }

  /** `algorithm:` and nixbase32, as in narinfos. */
  toString(): string {
    return `${this.algorithm}:${encodeNixbase32(this.digest)}`;
  }

  /** `algorithm-` and padded base64. */
  toSri(): string {
    return `${this.algorithm}-${encodeBase64(this.digest)}`;
  }

  /** Lower-case hexadecimal digits, without the algorithm. */
  toHex(): string {
    return encodeHex(this.digest);
  }

  toJSON(): string {
    return this.toSri();
  }
}

function decodeByLength(text: string, encoded: string, algorithm: HashAlgorithm): Uint8Array {
  const length = DIGEST_LENGTHS[algorithm];
  let digest: Uint8Array | undefined;
  if (encoded.length === 2 * length) {
    digest = decodeHex(encoded);
  } else if (encoded.length === nixbase32Length(length)) {
    digest = decodeNixbase32OrNot(encoded);
  } else if (encoded.length === paddedLength(length)) {
    digest = decodeBase64(encoded);
  } else {
    throw invalid(text, `no form of a digest of ${algorithm} has ${encoded.length} characters`);
  }
  if (digest === undefined) throw invalid(text, "it has a character that does not belong there");
  return digest;
}

function decodeNixbase32OrNot(encoded: string): Uint8Array | undefined {
  try {
    return decodeNixbase32(encoded);
  } catch {
    return undefined;
  }
}

function decodeSri(text: string, encoded: string, algorithm: HashAlgorithm): Uint8Array {
  const length = DIGEST_LENGTHS[algorithm];
  const digits = encoded.slice(0, paddedLength(length)).replace(/=+$/, "");
  if (digits.length < Math.ceil((length * 8) / 6)) throw invalid(text, "the digest is too short");
  let binary: string;
  try {
    // Unlike our own base64 this takes no padding, and bits of the last digit that mean nothing.
    binary = atob(digits);
  } catch {
    throw invalid(text, "it has a character that does not belong there");
  }
  return Uint8Array.from(binary.slice(0, length), (character) => character.charCodeAt(0));
}

function paddedLength(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

function invalid(text: string, why: string): NixCompatError {
  return new NixCompatError("INVALID_HASH", `not a hash: ${quoted(text)}: ${why}`);
}
