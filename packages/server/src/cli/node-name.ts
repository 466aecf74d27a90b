import { B3Digest, type Node } from "@tvix/castore";
import type { TreeServices } from "@tvix/castore-fs";
import { quoteName } from "./quote-name.ts";

/** A digest that a user gives, and of which kind of node it is, where that was said. */
export interface NodeName {
  readonly digest: B3Digest;
  readonly type: "directory" | "file" | undefined;
}

/** How {@link parseNodeName} is described to users. */
export const DIGEST =
  "blake3-…, b3:… or 64 hexadecimal digits, with directory: or file: in front where it may be either";

/** Reads a digest, perhaps with `directory:` or `file:` in front. @throws CastoreError INVALID_DIGEST */
export function parseNodeName(text: string): NodeName {
  const [, type, rest] = /^(directory|file):(.*)$/.exec(text) ?? [];
  return { digest: B3Digest.parse(rest ?? text), type: type as NodeName["type"] };
}

/**
 * What a node is called that was stored: its digest, with its type in front where there is a node of
 * the other type with the same digest, such as the empty file and the empty directory.
 *
 * @throws Error for a link, which no digest names
 */
export async function nameOfNode(services: TreeServices, node: Node): Promise<string> {
  if (node.type === "symlink") {
    throw new Error(
      `it is a symbolic link to ${quoteName(node.target.bytes)}, which no digest names; nothing was stored`,
    );
  }
  const isBoth =
    node.type === "directory"
      ? await services.blobService.has(node.digest)
      : node.size === 0n || (await services.directoryService.get(node.digest)) !== undefined;
  return isBoth ? `${node.type}:${node.digest}` : `${node.digest}`;
}
