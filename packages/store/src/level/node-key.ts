import type { Node } from "@tvix/castore";

const KINDS = { directory: 0, file: 1, executable: 2 } as const;

/**
 * What the key of something about the NAR of a node consists of: its kind, its digest and, for
 * files, its size, which is no part of what the digest names, but of the NAR.
 */
export function keyPartsOf(node: Exclude<Node, { type: "symlink" }>): readonly Uint8Array[] {
  const kind = node.type === "file" && node.executable ? "executable" : node.type;
  const size = new Uint8Array(node.type === "file" ? 8 : 0);
  if (node.type === "file") new DataView(size.buffer).setBigUint64(0, node.size);
  return [Uint8Array.of(KINDS[kind]), node.digest.bytes, size];
}
