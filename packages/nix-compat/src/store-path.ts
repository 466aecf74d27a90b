import { NixCompatError, quoted } from "./errors.ts";
import { decodeNixbase32, encodeNixbase32, nixbase32Length } from "./nixbase32.ts";

/** Where store paths lie. */
export const STORE_DIR = "/nix/store";

/** Length of the digest of a store path, in bytes. */
export const STORE_PATH_DIGEST_LENGTH = 20;

/** Most characters of the name of a store path. */
export const STORE_PATH_NAME_MAX_LENGTH = 211;

const DIGEST_DIGITS = nixbase32Length(STORE_PATH_DIGEST_LENGTH);
const FORBIDDEN = /[^0-9a-zA-Z+\-_?=.]/;

/**
 * The path of an object in the store: a digest of 20 bytes and a name of 1 to 211 characters
 * out of `0-9 a-z A-Z + - _ ? = .`
 */
export class StorePath {
  /** 20 bytes. Shared, not copied: it must not be changed. */
  readonly digest: Uint8Array;
  readonly name: string;

  private constructor(digest: Uint8Array, name: string) {
    this.digest = digest;
    this.name = name;
  }

  /**
   * Takes over a digest, which must not change afterwards.
   *
   * @throws NixCompatError INVALID_STORE_PATH that says what is wrong with digest or name
   */
  static from(digest: Uint8Array, name: string): StorePath {
    if (digest.length !== STORE_PATH_DIGEST_LENGTH) {
      throw invalid(name, `its digest has ${digest.length} bytes, not ${STORE_PATH_DIGEST_LENGTH}`);
    }
    checkName(name, name);
    return new StorePath(digest, name);
  }

  /**
   * Reads what comes behind the store directory: 32 digits of nixbase32, a dash, the name.
   *
   * @throws NixCompatError INVALID_STORE_PATH
   */
  static fromBaseName(text: string): StorePath {
    if (text.length < DIGEST_DIGITS + 2) throw invalid(text, "it is too short");
    if (text[DIGEST_DIGITS] !== "-") throw invalid(text, `character ${DIGEST_DIGITS} is no dash`);
    let digest: Uint8Array;
    try {
      digest = decodeNixbase32(text.slice(0, DIGEST_DIGITS));
    } catch (cause) {
      throw new NixCompatError("INVALID_STORE_PATH", describe(text, "its digest is not nixbase32"), {
        cause,
      });
    }
    const name = text.slice(DIGEST_DIGITS + 1);
    checkName(text, name);
    return new StorePath(digest, name);
  }

  /**
   * Reads an absolute path that names an object of the store, and nothing inside it.
   *
   * @throws NixCompatError INVALID_STORE_PATH
   */
  static fromAbsolute(text: string): StorePath {
    if (!text.startsWith(`${STORE_DIR}/`)) throw invalid(text, `it is not in ${STORE_DIR}`);
    return StorePath.fromBaseName(text.slice(STORE_DIR.length + 1));
  }

  /**
   * Reads an absolute path that may lie inside an object.
   *
   * @returns the object, and the rest behind the slash: empty for the object itself
   * @throws NixCompatError INVALID_STORE_PATH
   */
  static fromAbsoluteWithRest(text: string): { readonly storePath: StorePath; readonly rest: string } {
    const slash = text.indexOf("/", STORE_DIR.length + 1);
    if (slash < 0) return { storePath: StorePath.fromAbsolute(text), rest: "" };
    return { storePath: StorePath.fromAbsolute(text.slice(0, slash)), rest: text.slice(slash + 1) };
  }

  equals(other: StorePath): boolean {
    return this.toString() === other.toString();
  }

  /** Order of the digests' texts, then of the names: negative when this path comes first. */
  compare(other: StorePath): number {
    const [a, b] = [this.toString(), other.toString()];
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** The digest in nixbase32: 32 digits. */
  digestText(): string {
    return encodeNixbase32(this.digest);
  }

  /** `/nix/store/` and the base name. */
  toAbsolute(): string {
    return `${STORE_DIR}/${this}`;
  }

  /** The base name: digest, dash, name. */
  toString(): string {
    return `${this.digestText()}-${this.name}`;
  }

  toJSON(): string {
    return this.toAbsolute();
  }
}

/** @param shown the text for the message, of which the name may be a part */
function checkName(shown: string, name: string): void {
  if (name.length === 0) throw invalid(shown, "its name is empty");
  if (name.length > STORE_PATH_NAME_MAX_LENGTH) {
    throw invalid(shown, `its name is longer than ${STORE_PATH_NAME_MAX_LENGTH} characters`);
  }
  const bad = FORBIDDEN.exec(name);
  if (bad !== null) throw invalid(shown, `its name has ${quoted(bad[0])} at ${bad.index}`);
}

function describe(text: string, why: string): string {
  return `not a store path: ${quoted(text)}: ${why}`;
}

function invalid(text: string, why: string): NixCompatError {
  return new NixCompatError("INVALID_STORE_PATH", describe(text, why));
}
