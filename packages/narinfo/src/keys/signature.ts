import { NarInfoError } from "../errors.ts";
import { formatNamed, parseNamed } from "./named.ts";

/** Length of an Ed25519 signature, in bytes. */
export const SIGNATURE_LENGTH = 64;

/** An Ed25519 signature with the name of the key that made it. */
export class Signature {
  /** Of the key; any text, where it comes from a message (`isKeyName` tells). */
  readonly name: string;
  /** 64 bytes. Shared, not copied: they must not be changed. */
  readonly bytes: Uint8Array;

  private constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
  }

  /**
   * Takes over the bytes, which must not change afterwards. The name is not looked at.
   *
   * @throws NarInfoError INVALID_SIGNATURE when there are not 64 of them
   */
  static from(name: string, bytes: Uint8Array): Signature {
    if (bytes.length === SIGNATURE_LENGTH) return new Signature(name, bytes);
    throw new NarInfoError(
      "INVALID_SIGNATURE",
      `a signature has ${SIGNATURE_LENGTH} bytes, not ${bytes.length}`,
    );
  }

  /**
   * Reads `name:base64`.
   *
   * @throws NarInfoError INVALID_SIGNATURE
   */
  static parse(text: string): Signature {
    const { name, bytes } = parseNamed(text, "signature", SIGNATURE_LENGTH, "INVALID_SIGNATURE");
    return new Signature(name, bytes);
  }

  equals(other: Signature): boolean {
    return this.toString() === other.toString();
  }

  /** `name:base64`. */
  toString(): string {
    return formatNamed(this);
  }

  toJSON(): string {
    return this.toString();
  }
}
