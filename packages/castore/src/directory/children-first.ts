import type { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "./directory.ts";
import { postOrder } from "./post-order.ts";

/**
 * The directories of a tree at hand, each after all of its children: the order in which
 * {@link DirectoryService.putMany} takes them. A child that is not at hand is left out.
 *
 * @param directories by the keys of their digests
 */
export function* childrenFirst(
  root: B3Digest,
  directories: ReadonlyMap<string, Directory>,
): Generator<Directory, void, undefined> {
  const first = directories.get(root.key);
  if (first === undefined) return;
  yield* postOrder(first, {
    keyOf: (directory) => directory.digest().key,
    *childrenOf(directory) {
      for (const { node } of directory.children()) {
        const child = directories.get(node.digest.key);
        if (child !== undefined) yield child;
      }
    },
  });
}
