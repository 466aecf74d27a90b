import { createHash } from "node:crypto";
import type { ByteStream } from "@tvix/byte-stream";
import type { NixHash } from "@tvix/nix-compat";
import { NarBridgeError } from "../errors.ts";

/**
 * The same bytes, which have to have a SHA-256: their end is passed on only when they do.
 *
 * @throws NarBridgeError FILE_HASH_MISMATCH in place of the end
 */
export async function* checkingFileHash(stream: ByteStream, expected: NixHash): ByteStream {
  const hash = createHash("sha256");
  for await (const piece of stream) {
    hash.update(piece);
    yield piece;
  }
  if (!hash.digest().equals(expected.digest)) {
    throw new NarBridgeError(
      "FILE_HASH_MISMATCH",
      `the body has not the hash ${expected} that its path states`,
    );
  }
}
