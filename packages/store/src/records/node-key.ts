import { concatBytes } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";

const KINDS = { directory: 0, file: 1, executable: 2 } as const;

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
