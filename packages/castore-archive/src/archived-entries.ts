import type { ByteStream } from "@tvix/byte-stream";
import {
  type BlobService,
  CastoreError,
  type CastorePath,
  type DirectoryService,
  type FileNode,
  letOthersRun,
  type Node,
  type OperationOptions,
  utf8,
  walkTree,
} from "@tvix/castore";

/** Where the contents of an archive come from. */
export interface TreeSource {
  readonly blobService: Pick<BlobService, "read">;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** How a tree is archived. */
export interface ArchiveOptions extends OperationOptions {
  /**
   * The name of the root: in front of every path of a directory, or that of the file or link itself. A directory
   * without one has its entries at the top of the archive. Default none; a file or link needs one.
   */
  readonly rootName?: string | undefined;
}

/** An entry of an archive, with its path and the target of a link as text. */
export interface ArchivedEntry {
  readonly path: string;
  readonly node: Node;
  /** Of a symbolic link. */
  readonly target: string | undefined;
}

/** Entries after which others have their turn. */
const ENTRIES_IN_A_ROW = 64;

/** When everything in an archive was changed, as Nix sets it: a second after the beginning of 1970. */
export const ARCHIVED_AT: Date = new Date(1000);

/** Modes of what is unpacked: directories can be changed, so that they can be removed again. */
export const DIRECTORY_MODE = 0o755;

/** Mode of a file. */
export function modeOf({ executable }: FileNode): number {
  return executable ? 0o755 : 0o644;
}

/**
 * The entries of the archive of a tree.
 *
 * @throws CastoreError INVALID_NAME for a name or target that is not UTF-8; INCOMPLETE when a directory is missing
 */
export async function* archivedEntries(
  root: Node,
  { directoryService }: Pick<TreeSource, "directoryService">,
  { rootName, signal }: ArchiveOptions,
): AsyncGenerator<ArchivedEntry, void, undefined> {
  if (rootName === undefined && root.type !== "directory") {
    throw new CastoreError("INVALID_NAME", `a ${root.type} needs a name in an archive`);
  }
  let entries = 0;
  for await (const { path, node } of walkTree(root, directoryService, { signal })) {
    // Directories that are at hand come without any wait: others are to have their turns.
    if (++entries % ENTRIES_IN_A_ROW === 0) await letOthersRun();
    const place = [...(rootName === undefined ? [] : [rootName]), ...path.components.map(nameOf(path))];
    if (place.length === 0) continue;
    const target =
      node.type === "symlink" ? textOf(node.target.bytes, `the target of the link ${path}`) : undefined;
    yield { path: place.join("/"), node, target };
  }
}

/** The contents of a file. @throws CastoreError INCOMPLETE */
export async function* contentsOf(
  { digest, size }: FileNode,
  path: string,
  { blobService }: TreeSource,
  { signal }: OperationOptions,
): ByteStream {
  const contents = await blobService.read(digest, { signal, sizeHint: Number(size) });
  if (contents === undefined) throw wrong(path, digest.toString(), "is not in the store");
  let length = 0n;
  for await (const piece of contents) {
    length += BigInt(piece.length);
    if (length > size) break;
    yield piece;
  }
  if (length !== size) throw wrong(path, digest.toString(), `has another length than ${size} bytes`);
}

function wrong(path: string, digest: string, fault: string): CastoreError {
  return new CastoreError("INCOMPLETE", `blob ${digest} of ${JSON.stringify(path)} ${fault}`, {
    subject: digest,
  });
}

function nameOf(path: CastorePath): (name: { bytes: Uint8Array }) => string {
  return ({ bytes }) => textOf(bytes, `a name in ${path}`);
}

/** Text of a name. @throws CastoreError INVALID_NAME for what is not UTF-8 */
export function textOf(bytes: Uint8Array, what: string): string {
  const text = utf8(bytes);
  if (text !== undefined) return text;
  throw new CastoreError("INVALID_NAME", `${what} is not UTF-8, and archives hold text`);
}
