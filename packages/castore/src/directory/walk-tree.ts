import { letOthersRun } from "../concurrency/let-others-run.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import { CastorePath } from "./castore-path.ts";
import type { DirectoryService } from "./directory-service.ts";
import type { DirectoryEntry, Node } from "./node.ts";
import { ReadAhead } from "./read-ahead.ts";

/** A node in a tree, and where it lies. */
export interface PlacedNode {
  readonly path: CastorePath;
  readonly node: Node;
}

/** Steps after which others have their turn: directories that are remembered come without any wait. */
const STEPS_IN_A_ROW = 1024;

/**
 * A node and everything below it, depth first and in order of names, each directory before what is in it.
 * Directories are looked up a few ahead; memory grows with the depth only.
 *
 * @throws CastoreError INCOMPLETE when a directory is not in the service
 */
export async function* walkTree(
  root: Node,
  directories: Pick<DirectoryService, "get">,
  { signal }: OperationOptions = {},
): AsyncGenerator<PlacedNode, void, undefined> {
  const ahead = new ReadAhead(directories, { signal });
  const open: { readonly path: CastorePath; readonly entries: Iterator<DirectoryEntry> }[] = [];
  const enter = async (path: CastorePath, node: Node) => {
    if (node.type !== "directory") return;
    const directory = await ahead.get(node.digest);
    if (directory === undefined) {
      throw new CastoreError("INCOMPLETE", `directory ${node.digest} is not in the store`, {
        subject: node.digest.toString(),
      });
    }
    open.push({ path, entries: directory.entries.values() });
  };
  let steps = 0;
  yield { path: CastorePath.ROOT, node: root };
  await enter(CastorePath.ROOT, root);
  for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
    signal?.throwIfAborted();
    if (++steps % STEPS_IN_A_ROW === 0) await letOthersRun();
    const next = innermost.entries.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const { name, node } = next.value;
    const path = innermost.path.join(name);
    yield { path, node };
    await enter(path, node);
  }
}
