import { ed25519 } from "@noble/curves/ed25519.js";
import { importVerifier } from "#ed25519";
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
  readonly #verify: ReturnType<typeof importVerifier>;

  private constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
    this.#verify = importVerifier(bytes);
  }

  /**
   * Takes over the bytes, which must not change afterwards.
   *
   * @throws NarInfoError INVALID_KEY for a name that cannot be written, and for bytes that are no
   *   point of the curve, or one of small order, for which signatures can be made without a secret
   */
  static from(name: string, bytes: Uint8Array): PublicKey {
    checkName(name, "public key", "INVALID_KEY");
    if (bytes.length !== PUBLIC_KEY_LENGTH || !ed25519.utils.isValidPublicKey(bytes, false)) {
      throw new NarInfoError("INVALID_KEY", `the public key ${name} is no point of the curve`);
    }
    if (ed25519.Point.fromBytes(bytes).isSmallOrder()) {
      throw new NarInfoError("INVALID_KEY", `the public key ${name} is a point of small order`);
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
    return this.#verify(new TextEncoder().encode(text), signature.bytes);
  }

  /** `name:base64`. */
  toString(): string {
    return formatNamed(this);
  }
}
