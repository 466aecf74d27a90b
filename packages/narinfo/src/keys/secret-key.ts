import { ed25519 } from "@noble/curves/ed25519.js";
import { importSigner } from "#ed25519";
import { NarInfoError } from "../errors.ts";
import { checkName, formatNamed, parseNamed } from "./named.ts";
import { PublicKey } from "./public-key.ts";
import { Signature } from "./signature.ts";

/** Length of the seed, and of the public key behind it, in bytes. */
const HALF_LENGTH = 32;

/**
 * An Ed25519 key to sign with, as Nix keeps it: `name:`, then base64 of the seed and the
 * public key. It does not show itself: only {@link SecretKey.export} gives its text.
 */
export class SecretKey {
  readonly #seed: Uint8Array;
  readonly #sign: ReturnType<typeof importSigner>;
  /** The key to check its signatures with. */
  readonly publicKey: PublicKey;

  private constructor(seed: Uint8Array, publicKey: PublicKey) {
    this.#seed = seed;
    this.#sign = importSigner(seed, publicKey.bytes);
    this.publicKey = publicKey;
  }

  /** Name of the key and of its signatures. */
  get name(): string {
    return this.publicKey.name;
  }

  /**
   * A new key.
   *
   * @param name such as `cache.example.org-1`
   * @throws NarInfoError INVALID_KEY for a name that cannot be written
   */
  static generate(name: string): SecretKey {
    checkName(name, "secret key", "INVALID_KEY");
    const seed = crypto.getRandomValues(new Uint8Array(HALF_LENGTH));
    return new SecretKey(seed, PublicKey.from(name, ed25519.getPublicKey(seed)));
  }

  /**
   * Reads the text of a key file, around which white space does not count.
   *
   * @throws NarInfoError INVALID_KEY, without a part of the key in its message; also when its
   *   two halves do not belong together
   */
  static parse(text: string): SecretKey {
    const { name, bytes } = parseNamed(text.trim(), "secret key", 2 * HALF_LENGTH, "INVALID_KEY");
    const seed = bytes.slice(0, HALF_LENGTH);
    const publicKey = PublicKey.from(name, ed25519.getPublicKey(seed));
    if (publicKey.bytes.some((byte, index) => byte !== bytes[HALF_LENGTH + index])) {
      throw new NarInfoError("INVALID_KEY", `the secret key ${name} does not fit its own public key`);
    }
    return new SecretKey(seed, publicKey);
  }

  /** Signs a text. The same text always gets the same signature. */
  sign(text: string): Signature {
    return Signature.from(this.name, this.#sign(new TextEncoder().encode(text)));
  }

  /** The text of the key: a secret. */
  export(): string {
    const bytes = new Uint8Array(2 * HALF_LENGTH);
    bytes.set(this.#seed);
    bytes.set(this.publicKey.bytes, HALF_LENGTH);
    return formatNamed({ name: this.name, bytes });
  }
}
