import { readlinkSync } from "node:fs";
import { tap } from "@tvix/byte-stream";
import {
  type BlobService,
  CastoreError,
  DEFAULT_SIZE_CONVENTION,
  type Directory,
  type DirectoryService,
  type FileNode,
  mapConcurrently,
  type Node,
  type OperationOptions,
  type SizeConvention,
  type SymlinkNode,
  SymlinkTarget,
  TreeBuilder,
  type TreeEntry,
} from "@tvix/castore";
import { type HostPath, onPathSync } from "./host-path.ts";
import { FileReader, type OpenedFile } from "./read-file.ts";
import { SparingUpload } from "./sparing-upload.ts";
import { type WalkedEntry, walk } from "./walk.ts";

/** Where a tree goes to, or comes from. */
export interface TreeServices {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
}

/** How far an operation on a tree has come. */
export interface TreeProgress {
  /** Files, directories and links done. */
  readonly entries: number;
  /** Bytes of files done. */
  readonly bytes: number;
}

/** Options of {@link ingest}. */
export interface IngestOptions extends OperationOptions {
  /** How sizes of directories are counted. Default `doubled`, as the Rust stores count. */
  readonly sizeConvention?: SizeConvention;
  /** Called after each entry. */
  readonly onProgress?: (progress: TreeProgress) => void;
}

/** Entries under way at the same time, most of which wait for their storage to be durable. */
const WINDOW = 400;

/**
 * Stores a path of the file system with everything below it, and returns its root node.
 *
 * A service on another machine is asked what it has (as far as it has a `chunkExchange`), and sent the rest.
 *
 * Links are stored, not followed, not even at the root; of a file's mode only the owner's
 * right to execute is kept; times, owners and hard links are not.
 *
 * @param path bytes where it is not UTF-8
 * @throws CastoreError UNSUPPORTED_FILE_TYPE for sockets, pipes and devices, TOO_DEEP,
 *   CHANGED_WHILE_READING for a file that is written to meanwhile, STORAGE_FAILURE for a path
 *   that cannot be read, TOO_LARGE for a directory that the service will not take; each names the
 *   path
 */
export async function ingest(
  path: string | Uint8Array,
  services: TreeServices,
  options: IngestOptions = {},
): Promise<Node> {
  const exhausted = new Set<unknown>();
  return await repeatedWhileLost(() => ingestOnce(path, services, options, exhausted), {
    signal: options.signal,
    exhausted,
  });
}

/** @param exhausted takes failures of files that have been tried often enough */
async function ingestOnce(
  path: string | Uint8Array,
  services: TreeServices,
  options: IngestOptions,
  exhausted: Set<unknown>,
): Promise<Node> {
  const { signal, onProgress } = options;
  const { maxDirectoryBytes } = services.directoryService;
  const builder = new TreeBuilder(options.sizeConvention ?? DEFAULT_SIZE_CONVENTION);
  const progress = { entries: 0, bytes: 0 };
  const { blobService } = services;
  const sparing = SparingUpload.to(blobService);
  const files = new FileReader((file) => storeFile(file, blobService, sparing, signal));
  const read = async (entry: WalkedEntry): Promise<TreeEntry> => {
    signal?.throwIfAborted();
    const node = await repeatedWhileLost(() => readNode(entry, files), { signal, exhausted });
    return { name: entry.name, depth: entry.depth, node };
  };

  async function* directories(): AsyncGenerator<Directory, void, undefined> {
    for await (const entry of mapConcurrently(walk(Buffer.from(path), maxDirectoryBytes), WINDOW, read)) {
      const directory = builder.add(entry);
      progress.entries++;
      if (entry.node !== "directory" && entry.node.type === "file") progress.bytes += Number(entry.node.size);
      onProgress?.({ ...progress });
      if (directory !== undefined) yield directory;
    }
  }

  const completed = directories();
  const first = await completed.next();
  if (first.done !== true) {
    await services.directoryService.putMany(resumed(first.value, completed), { signal });
  }
  if (builder.root === undefined) throw new Error("a walk ends with its root");
  return builder.root;
}

/** How often a file, or a tree, is sent to a service on another machine when the connection breaks. */
const TRIES = 3;

/**
 * Does what was interrupted because a connection broke from its beginning: the files are still there.
 *
 * @param exhausted failures that have been repeated often enough; the last one is added
 */
async function repeatedWhileLost<T>(
  task: () => T | Promise<T>,
  { signal, exhausted }: { signal: AbortSignal | undefined; exhausted: Set<unknown> },
): Promise<T> {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await task();
    } catch (error) {
      const isLost = CastoreError.is(error) && error.code === "UNAVAILABLE" && signal?.aborted !== true;
      if (!isLost || exhausted.has(error)) throw error;
      if (left > 0) continue;
      exhausted.add(error);
      throw error;
    }
  }
}

function readNode(
  { type, path }: WalkedEntry,
  files: FileReader<FileNode>,
): TreeEntry["node"] | Promise<TreeEntry["node"]> {
  if (type === "directory") return "directory";
  return type === "file" ? files.read(path) : readSymlink(path);
}

/** On the spot, as short files are: before it is looked whether its directory has changed. */
function readSymlink(path: HostPath): SymlinkNode {
  const target = onPathSync("read link", path, () => readlinkSync(path, { encoding: "buffer" }));
  return { type: "symlink", target: SymlinkTarget.from(target) };
}

async function storeFile(
  { contents, executable }: OpenedFile,
  blobService: BlobService,
  sparing: SparingUpload | undefined,
  signal: AbortSignal | undefined,
): Promise<FileNode> {
  const isShort = contents instanceof Uint8Array;
  const known = await (isShort
    ? sparing?.findShort(contents, { signal })
    : sparing?.findLong(contents(), { signal }));
  if (known !== undefined) {
    return { type: "file", digest: known.digest, size: BigInt(known.size), executable };
  }
  if (isShort) {
    const digest = await blobService.put(contents, { signal });
    return { type: "file", digest, size: BigInt(contents.length), executable };
  }
  let size = 0;
  const counted = tap(contents(), (piece) => {
    size += piece.length;
  });
  const digest = await blobService.put(counted, { signal });
  return { type: "file", digest, size: BigInt(size), executable };
}

async function* resumed<T>(first: T, rest: AsyncIterable<T>): AsyncIterable<T> {
  yield first;
  yield* rest;
}
