import {
  type B3Digest,
  type CastorePath,
  type DirectoryNode,
  descendTo,
  type FileNode,
  type Node,
} from "@tvix/castore";
import type { TreeServices } from "@tvix/castore-fs";
import type { NodeName } from "./node-name.ts";

/**
 * The node of a digest that may be a directory's or a blob's.
 *
 * @param options.executable whether a file is to be executable: its digest does not tell
 * @throws Error when it is neither, or both and nothing says which
 */
export async function findRoot(
  services: TreeServices,
  { digest, type }: NodeName,
  { executable }: { executable: boolean },
): Promise<DirectoryNode | FileNode> {
  const directory = type === "file" ? undefined : await services.directoryService.get(digest);
  const isBoth = directory !== undefined && type === undefined && (await services.blobService.has(digest));
  if (isBoth) {
    throw new Error(
      `${digest} is the digest of a directory and of a file: say directory:${digest} or file:${digest}`,
    );
  }
  if (directory !== undefined) return { type: "directory", digest, size: directory.size() };
  const contents = type === "directory" ? undefined : await services.blobService.read(digest);
  if (contents === undefined) {
    const what = type === undefined ? "neither a directory nor a blob" : `no ${type}`;
    throw new Error(`${what} ${digest} is in the store`);
  }
  let size = 0n;
  for await (const piece of contents) size += BigInt(piece.length);
  return { type: "file", digest, size, executable };
}

/**
 * The node at a path in a directory.
 *
 * @throws Error when the directory or the path is not there
 */
export async function findNode(services: TreeServices, digest: B3Digest, path: CastorePath): Promise<Node> {
  const directory = await services.directoryService.get(digest);
  if (directory === undefined) throw new Error(`directory ${digest} is not in the store`);
  const root: DirectoryNode = { type: "directory", digest, size: directory.size() };
  const node = await descendTo(services.directoryService, root, path);
  if (node === undefined) throw new Error(`there is no ${path} in directory ${digest}`);
  return node;
}
