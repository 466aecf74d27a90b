import type { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "./directory.ts";

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
  const begun = new Set<string>();
  /** Directories whose children come first, the innermost last. */
  const open: { readonly directory: Directory; readonly children: Iterator<B3Digest> }[] = [];
  const begin = (digest: B3Digest) => {
    const directory = directories.get(digest.key);
    if (directory === undefined || begun.has(digest.key)) return;
    begun.add(digest.key);
    open.push({ directory, children: childrenOf(directory) });
  };
  begin(root);
  for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
    const child = innermost.children.next();
    if (child.done === true) {
      open.pop();
      yield innermost.directory;
    } else {
      begin(child.value);
    }
  }
}

function* childrenOf(directory: Directory): Generator<B3Digest, void, undefined> {
  for (const { node } of directory.children()) yield node.digest;
}
