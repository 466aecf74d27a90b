import { Directory, type Node, PathComponent } from "@tvix/castore";

/** A directory with some entries. */
export function directoryOf(entries: Readonly<Record<string, Node>>): Directory {
  return Directory.of(
    Object.entries(entries).map(([name, node]) => ({ name: PathComponent.from(name), node })),
  );
}

/** The node of a directory. */
export function directoryNode(directory: Directory): Node {
  return { type: "directory", digest: directory.digest(), size: directory.size() };
}
