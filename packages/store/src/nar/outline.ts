import {
  CastoreError,
  type DirectoryEntry,
  type DirectoryNode,
  type DirectoryService,
  type FileNode,
  type Node,
  type OperationOptions,
  ReadAhead,
} from "@tvix/castore";
import type { NarDirectory, NarEnd, NarFile, NarSymlink } from "@tvix/nar";

/** A file of a NAR that is still a blob. */
export interface BlobFile extends Omit<NarFile, "contents"> {
  readonly node: FileNode;
}

/** An entry of the NAR of a tree, without contents. */
export type TreeOutline = NarDirectory | NarEnd | NarSymlink | BlobFile;

const ROOT_NAME = new Uint8Array(0);

/**
 * The NAR of a node without the contents of its files: directories are looked up depth first, a
 * few of them ahead, and memory grows with the depth only.
 *
 * @throws CastoreError INCOMPLETE when a directory is not in the service
 */
export async function* outlineOf(
  root: Node,
  directories: Pick<DirectoryService, "get">,
  { signal }: OperationOptions = {},
): AsyncGenerator<TreeOutline, void, undefined> {
  const ahead = new ReadAhead(directories, { signal });
  /** What is left of each open directory. */
  const open: Iterator<DirectoryEntry>[] = [];
  const enter = async (node: Node) => {
    if (node.type === "directory") open.push((await entriesOf(node, ahead)).values());
  };
  yield entryOf(root, ROOT_NAME);
  await enter(root);
  for (let entries = open.at(-1); entries !== undefined; entries = open.at(-1)) {
    signal?.throwIfAborted();
    const next = entries.next();
    if (next.done === true) {
      open.pop();
      yield { type: "end" };
    } else {
      const { name, node } = next.value;
      yield entryOf(node, name.bytes);
      await enter(node);
    }
  }
}

function entryOf(node: Node, name: Uint8Array): TreeOutline {
  switch (node.type) {
    case "directory":
      return { type: "directory", name };
    case "symlink":
      return { type: "symlink", name, target: node.target.bytes };
    case "file":
      return { type: "file", name, executable: node.executable, size: Number(node.size), node };
  }
}

async function entriesOf(
  { digest }: DirectoryNode,
  directories: ReadAhead,
): Promise<readonly DirectoryEntry[]> {
  const directory = await directories.get(digest);
  if (directory !== undefined) return directory.entries;
  throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, {
    subject: digest.toString(),
  });
}
