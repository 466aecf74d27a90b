import { assertPiece, type ByteSource, type ByteStream, encodeHex, equalBytes } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { type ContentAddress, NixHash } from "@tvix/nix-compat";
import { createHasher, type Hasher } from "#hasher";
import { StoreError } from "../errors/store-error.ts";
import type { NarSummary } from "./calculate.ts";

/** What a NAR has to be. */
export interface ExpectedNar {
  /** Length, in bytes. */
  readonly narSize?: number;
  /** SHA-256. */
  readonly narHash?: NixHash;
  /**
   * Method `nar`: the hash of the NAR. `flat` and `text`: the root is a file, and this the
   * hash of its contents. References are not looked at.
   */
  readonly contentAddress?: ContentAddress | undefined;
  /** Looks at what was found, last, and throws when it is not to be taken. */
  readonly check?: (found: NarSummary) => void;
}

/** Computes the digests of a NAR while it is read, and compares them with the expected ones. */
export class NarDigests {
  readonly #expected: ExpectedNar;
  readonly #sha256 = createHasher("sha256");
  /** Of the NAR, or of the contents of the only file. */
  readonly #address: Hasher | undefined;
  #narSize = 0;

  constructor(expected: ExpectedNar = {}) {
    this.#expected = expected;
    const address = expected.contentAddress;
    if (address !== undefined && !isNarSha256(address)) this.#address = createHasher(address.hash.algorithm);
  }

  /** The bytes of the NAR, as they go by. */
  async *watch(nar: ByteSource): ByteStream {
    const whole = this.#expected.contentAddress?.method === "nar" ? this.#address : undefined;
    for await (const piece of nar instanceof Uint8Array ? [nar] : nar) {
      assertPiece(piece);
      this.#narSize += piece.length;
      this.#sha256.update(piece);
      whole?.update(piece);
      yield piece;
    }
  }

  /** The contents of a root that is a file, as they go by. */
  watchRootFile(piece: Uint8Array): void {
    if (this.#expected.contentAddress?.method !== "nar") this.#address?.update(piece);
  }

  /**
   * The digests, when they are those that were expected. Called once, last.
   *
   * @throws StoreError NAR_SIZE_MISMATCH, NAR_HASH_MISMATCH, CONTENT_ADDRESS_MISMATCH
   */
  finish(root: Node): NarSummary {
    const { narSize, narHash, contentAddress } = this.#expected;
    const found = { narSize: this.#narSize, narHash: NixHash.from("sha256", this.#sha256.digest()) };
    if (narSize !== undefined && narSize !== found.narSize) {
      const text = `the NAR has ${found.narSize} bytes, expected ${narSize}`;
      throw new StoreError("NAR_SIZE_MISMATCH", text);
    }
    if (narHash !== undefined && !narHash.equals(found.narHash)) {
      throw new StoreError("NAR_HASH_MISMATCH", `the NAR has hash ${found.narHash}, expected ${narHash}`);
    }
    if (contentAddress !== undefined) this.#checkAddress(contentAddress, root, found.narHash);
    this.#expected.check?.(found);
    return found;
  }

  #checkAddress(address: ContentAddress, root: Node, narHash: NixHash): void {
    if (address.method !== "nar" && root.type !== "file") {
      const text = `the content address is that of a single file, and the NAR holds a ${root.type}`;
      throw new StoreError("CONTENT_ADDRESS_MISMATCH", text);
    }
    const found = this.#address?.digest() ?? narHash.digest;
    if (equalBytes(found, address.hash.digest)) return;
    const [expected, actual] = [address.hash.digest, found].map(encodeHex);
    const text = `the content address is ${address.hash.algorithm} ${expected}, found ${actual}`;
    throw new StoreError("CONTENT_ADDRESS_MISMATCH", text);
  }
}

function isNarSha256({ method, hash }: ContentAddress): boolean {
  return method === "nar" && hash.algorithm === "sha256";
}
