import { toBytes } from "@tvix/byte-stream";
import type { DirectoryService } from "../directory/directory-service.ts";
import type { Node } from "../directory/node.ts";
import { PathComponent } from "../directory/path-component.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { TreeFsError } from "./tree-fs-error.ts";

/** Links that are followed for one path, as in Linux. */
const MAX_LINKS = 40;

const SLASH = 0x2f;

/** A node that a path leads to, and its names from the root, links resolved. */
export interface Resolved {
  readonly node: Node;
  readonly names: readonly PathComponent[];
}

/**
 * Goes down a path from the root of a tree, through its symbolic links. The root is `/` as well.
 *
 * @param follow whether a link at the end is followed
 * @throws TreeFsError ENOENT also for a link that leads out of the tree; ENOTDIR, ELOOP, EINVAL;
 *   CastoreError INCOMPLETE when a directory is not in the service
 */
export async function resolveInTree(
  directories: Pick<DirectoryService, "get">,
  root: Node,
  path: string | Uint8Array,
  follow: boolean,
): Promise<Resolved> {
  const shown = typeof path === "string" ? path : new TextDecoder().decode(path);
  const left = split(toBytes(path)).reverse();
  const way: { readonly name: PathComponent | undefined; readonly node: Node }[] = [
    { name: undefined, node: root },
  ];
  let links = 0;
  const followLink = (target: Uint8Array) => {
    links++;
    if (links > MAX_LINKS) throw new TreeFsError("ELOOP", "too many links", shown);
    if (target[0] === SLASH) throw new TreeFsError("ENOENT", "a link leads out of the tree", shown);
    way.pop();
    if (way.length === 0)
      throw new TreeFsError("ENOENT", "the root is a link, which leads out of the tree", shown);
    left.push(...split(target).reverse());
  };
  for (;;) {
    const { node } = way.at(-1) as { readonly node: Node };
    const next = left.pop();
    if (node.type === "symlink" && (next !== undefined || follow)) {
      if (next !== undefined) left.push(next);
      followLink(node.target.bytes);
      continue;
    }
    if (next === undefined) {
      return { node, names: way.flatMap(({ name }) => name ?? []) };
    }
    if (node.type !== "directory") throw new TreeFsError("ENOTDIR", "not a directory", shown);
    const text = next.length <= 2 ? new TextDecoder().decode(next) : "";
    if (text === "." || next.length === 0) continue;
    if (text === "..") {
      // Above the root is the root, but a link may not count on that.
      if (way.length > 1) way.pop();
      else if (links > 0) throw new TreeFsError("ENOENT", "a link leads out of the tree", shown);
      continue;
    }
    const directory = await directories.get(node.digest);
    if (directory === undefined) {
      throw new CastoreError("INCOMPLETE", `directory ${node.digest} is not in the store`, {
        subject: node.digest.toString(),
      });
    }
    const name = nameOf(next, shown);
    const child = directory.get(name);
    if (child === undefined) throw new TreeFsError("ENOENT", "no such file or directory", shown);
    way.push({ name, node: child });
  }
}

function nameOf(bytes: Uint8Array, path: string): PathComponent {
  try {
    return PathComponent.from(bytes);
  } catch {
    throw new TreeFsError("EINVAL", "no name is like that", path);
  }
}

/** Names between slashes; a slash at the end leaves an empty one, which only a directory has. */
function split(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(SLASH); end !== -1; end = bytes.indexOf(SLASH, start)) {
    if (end > start) parts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  const last = bytes.subarray(start);
  return last.length > 0 || parts.length > 0 ? [...parts, last] : [];
}
