import { ed25519 } from "@noble/curves/ed25519.js";
import { NarInfoError } from "../errors.ts";
import { checkName, formatNamed, parseNamed } from "./named.ts";
import type { Signature } from "./signature.ts";

/** Length of an Ed25519 public key, in bytes. */
const PUBLIC_KEY_LENGTH = 32;

/** An Ed25519 public key with a name, as in `trusted-public-keys`. */
export class PublicKey {
  readonly name: string;
  /** 32 bytes. Shared, not copied: they must not be changed. */
  readonly bytes: Uint8Array;

  private constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
  }

  /**
   * Takes over the bytes, which must not change afterwards.
   *
   * @throws NarInfoError INVALID_KEY for a name that cannot be written, or bytes that are no
   *   point of the curve
   */
  static from(name: string, bytes: Uint8Array): PublicKey {
    checkName(name, "public key", "INVALID_KEY");
    if (bytes.length !== PUBLIC_KEY_LENGTH || !ed25519.utils.isValidPublicKey(bytes, false)) {
      throw new NarInfoError("INVALID_KEY", `the public key ${name} is no point of the curve`);
    }
    return new PublicKey(name, bytes);
  }

  /**
   * Reads `name:base64`.
   *
   * @throws NarInfoError INVALID_KEY
   */
  static parse(text: string): PublicKey {
    const { name, bytes } = parseNamed(text, "public key", PUBLIC_KEY_LENGTH, "INVALID_KEY");
    return PublicKey.from(name, bytes);
  }

  /**
   * Whether this key made a signature of a text. Strict: a signature under another name is
   * none, and neither are keys and encodings of which there would be several for one signature.
   */
  verify(text: string, signature: Signature): boolean {
    if (signature.name !== this.name) return false;
    return ed25519.verify(signature.bytes, new TextEncoder().encode(text), this.bytes, { zip215: false });
  }

  /** `name:base64`. */
  toString(): string {
    return formatNamed(this);
  }
}
