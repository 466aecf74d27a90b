import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { CastorePath } from "./castore-path.ts";
import type { Directory } from "./directory.ts";
import type { DirectoryService } from "./directory-service.ts";
import type { Node } from "./node.ts";

/**
 * A directory and everything below it by single look-ups, breadth first: the contract of
 * {@link DirectoryService.getRecursive}.
 */
export async function* traverse(
  get: (digest: B3Digest) => Promise<Directory | undefined>,
  root: B3Digest,
  { signal }: OperationOptions = {},
): AsyncIterable<Directory> {
  const known = new Set([root.key]);
  let level = [root];
  while (level.length > 0) {
    const next: B3Digest[] = [];
    for (const digest of level) {
      signal?.throwIfAborted();
      const directory = await get(digest);
      if (directory === undefined) {
        if (digest === root) return;
        throw missing(digest);
      }
      yield directory;
      for (const { node } of directory.children()) {
        if (known.has(node.digest.key)) continue;
        known.add(node.digest.key);
        next.push(node.digest);
      }
    }
    level = next;
  }
}

/**
 * The node at a path below another; undefined when there is none. Symbolic links are not
 * followed.
 *
 * @throws CastoreError INCOMPLETE when a directory on the way is not in the service
 */
export async function descendTo(
  service: Pick<DirectoryService, "get">,
  root: Node,
  path: CastorePath,
  options: OperationOptions = {},
): Promise<Node | undefined> {
  let node: Node | undefined = root;
  for (const name of path.components) {
    if (node?.type !== "directory") return undefined;
    const directory: Directory | undefined = await service.get(node.digest, options);
    if (directory === undefined) throw missing(node.digest);
    node = directory.get(name);
  }
  return node;
}

function missing(digest: B3Digest): CastoreError {
  return new CastoreError("INCOMPLETE", `directory ${digest} does not exist`, {
    subject: digest.toString(),
  });
}
