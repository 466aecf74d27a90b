import {
  CastoreError,
  type CastorePath,
  type DirectoryService,
  type Node,
  type SymlinkNode,
} from "@tvix/castore";

/** What a path leads to: a node, a link in the middle of it, or nothing. */
export type Found =
  | { readonly type: "node"; readonly node: Node }
  | {
      readonly type: "link";
      readonly link: SymlinkNode;
      /** Of the names of the path, how many lead to the link. */
      readonly depth: number;
    }
  | undefined;

/**
 * Goes down a path, up to the first link that is not its end.
 *
 * @throws CastoreError INCOMPLETE when a directory on the way is not in the service
 */
export async function findPlace(
  directories: Pick<DirectoryService, "get">,
  root: Node,
  path: CastorePath,
): Promise<Found> {
  let node: Node | undefined = root;
  for (const [depth, name] of path.components.entries()) {
    if (node.type === "symlink") return { type: "link", link: node, depth };
    if (node.type !== "directory") return undefined;
    const { digest } = node;
    const directory = await directories.get(digest);
    if (directory === undefined) {
      throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, {
        subject: `${digest}`,
      });
    }
    node = directory.get(name);
    if (node === undefined) return undefined;
  }
  return { type: "node", node };
}
