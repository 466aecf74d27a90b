import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import { CastorePath } from "./castore-path.ts";
import type { DirectoryService } from "./directory-service.ts";
import type { DirectoryEntry, DirectoryNode, Node } from "./node.ts";
import type { PathComponent } from "./path-component.ts";

/** A place at which two trees differ. */
export interface TreeDifference {
  readonly path: CastorePath;
  /** In the first tree; undefined where nothing is there. A directory stands for everything in it. */
  readonly before: Node | undefined;
  /** In the second tree, likewise. */
  readonly after: Node | undefined;
}

/** Two directories at one place, whose entries are compared. */
interface OpenPair {
  readonly path: CastorePath;
  readonly pairs: Iterator<readonly [PathComponent, Node | undefined, Node | undefined]>;
}

/**
 * Where two trees differ, in order of paths. What has one digest in both is not looked into, so that the cost is
 * that of what differs; memory grows with the depth only. A directory that only one of them has is told as a whole.
 *
 * @throws CastoreError INCOMPLETE when a directory is not in the service
 */
export async function* diffTrees(
  before: Node,
  after: Node,
  directories: Pick<DirectoryService, "get">,
  { signal }: OperationOptions = {},
): AsyncGenerator<TreeDifference, void, undefined> {
  const open: OpenPair[] = [];
  const compare = async (path: CastorePath, one: Node | undefined, other: Node | undefined) => {
    if (one?.type !== "directory" || other?.type !== "directory") return { path, before: one, after: other };
    const [a, b] = await Promise.all([entriesOf(directories, one), entriesOf(directories, other)]);
    open.push({ path, pairs: paired(a, b) });
    return undefined;
  };
  if (isSame(before, after)) return;
  const root = await compare(CastorePath.ROOT, before, after);
  if (root !== undefined) yield root;
  for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
    signal?.throwIfAborted();
    const next = innermost.pairs.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const [name, one, other] = next.value;
    if (one !== undefined && other !== undefined && isSame(one, other)) continue;
    const difference = await compare(innermost.path.join(name), one, other);
    if (difference !== undefined) yield difference;
  }
}

function isSame(a: Node, b: Node): boolean {
  if (a.type === "symlink") return b.type === "symlink" && a.target.equals(b.target);
  if (a.type === "directory") return b.type === "directory" && a.digest.equals(b.digest);
  return b.type === "file" && a.digest.equals(b.digest) && a.executable === b.executable;
}

/** Names of both directories in their order, each with what it is in the one and in the other. */
function* paired(
  a: readonly DirectoryEntry[],
  b: readonly DirectoryEntry[],
): Generator<readonly [PathComponent, Node | undefined, Node | undefined], void, undefined> {
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [one, other] = [a[i], b[j]];
    const order = one === undefined ? 1 : other === undefined ? -1 : Math.sign(one.name.compare(other.name));
    const { name } = (order <= 0 ? one : other) as DirectoryEntry;
    yield [name, order <= 0 ? one?.node : undefined, order >= 0 ? other?.node : undefined];
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
}

async function entriesOf(
  directories: Pick<DirectoryService, "get">,
  { digest }: DirectoryNode,
): Promise<readonly DirectoryEntry[]> {
  const directory = await directories.get(digest);
  if (directory !== undefined) return directory.entries;
  throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, {
    subject: digest.toString(),
  });
}
