import { createHash } from "node:crypto";
import type { ByteStream } from "@tvix/byte-stream";
import { NixHash } from "@tvix/nix-compat";

/** Computes the SHA-256 of a file while it is read. */
export class FileDigest {
  readonly #hash = createHash("sha256");
  #digest: NixHash | undefined;

  /** The same bytes, as they go by. */
  async *watch(stream: ByteStream): ByteStream {
    for await (const piece of stream) {
      this.#hash.update(piece);
      yield piece;
    }
    this.#digest = NixHash.from("sha256", new Uint8Array(this.#hash.digest()));
  }

  /** Undefined as long as the file has not been read to its end. */
  get digest(): NixHash | undefined {
    return this.#digest;
  }
}
