import {
  CastoreError,
  type DirectoryEntry,
  type DirectoryNode,
  type DirectoryService,
  type FileNode,
  letOthersRun,
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
 * Entries of a tree that is written out, at most: directories that lie at several places are few in a store and any
 * number in a NAR. As `Directory.size` counts them; stores have checked that.
 */
const MAX_ENTRIES = 1n << 26n;

/** Steps after which others have their turn: directories that are remembered come without any wait. */
const STEPS_IN_A_ROW = 1024;

/**
 * The NAR of a node without the contents of its files: directories are looked up depth first, a
 * few of them ahead, and memory grows with the depth only.
 *
 * @throws CastoreError INCOMPLETE when a directory is not in the service; TOO_LARGE for a tree of more than 67 million
 *   entries
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
  let steps = 0;
  yield entryOf(root, ROOT_NAME);
  await enter(root);
  for (let entries = open.at(-1); entries !== undefined; entries = open.at(-1)) {
    signal?.throwIfAborted();
    if (++steps % STEPS_IN_A_ROW === 0) await letOthersRun();
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
  if (directory !== undefined) {
    const entries = directory.size("documented");
    if (entries <= MAX_ENTRIES) return directory.entries;
    throw new CastoreError("TOO_LARGE", `the tree ${digest} has ${entries} entries: at most ${MAX_ENTRIES}`, {
      subject: digest.toString(),
    });
  }
  throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, {
    subject: digest.toString(),
  });
}
