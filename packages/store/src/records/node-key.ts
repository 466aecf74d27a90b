import { concatBytes } from "@tvix/byte-stream";
import { B3Digest, type Node } from "@tvix/castore";

const KINDS = { directory: 0, file: 1, executable: 2 } as const;

const DIGEST_BYTES = 32;

/**
 * The key of something about the NAR of a node: its kind (u8), its digest and, for files, its size (u64),
 * which is no part of what the digest names, but of the NAR.
 */
export function nodeKeyOf(node: Exclude<Node, { type: "symlink" }>): Uint8Array {
  const kind = node.type === "file" && node.executable ? "executable" : node.type;
  const size = new Uint8Array(node.type === "file" ? 8 : 0);
  if (node.type === "file") new DataView(size.buffer).setBigUint64(0, node.size);
  return concatBytes([Uint8Array.of(KINDS[kind]), node.digest.bytes, size]);
}

/** The node of such a key; undefined for bytes that are none. */
export function nodeOfKey(key: Uint8Array): Exclude<Node, { type: "symlink" }> | undefined {
  const digest = key.slice(1, 1 + DIGEST_BYTES);
  if (digest.length !== DIGEST_BYTES) return undefined;
  if (key[0] === KINDS.directory) return { type: "directory", digest: B3Digest.from(digest), size: 0n };
  if (key.length !== 1 + DIGEST_BYTES + 8) return undefined;
  const size = new DataView(key.buffer, key.byteOffset).getBigUint64(1 + DIGEST_BYTES);
  return { type: "file", digest: B3Digest.from(digest), size, executable: key[0] === KINDS.executable };
}
