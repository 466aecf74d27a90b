import { mkdirSync } from "node:fs";
import { chmod, lstat, mkdir, rename, stat, symlink } from "node:fs/promises";
import { type ByteStream, copyBytes } from "@tvix/byte-stream";
import {
  ByteBudget,
  CastoreError,
  type DirectoryNode,
  type FileNode,
  letOthersRun,
  mapConcurrently,
  type Node,
  type OperationOptions,
  ReadAhead,
} from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import { exists, type HostPath, joinPath, onPath, onPathSync, showPath } from "./host-path.ts";
import type { TreeProgress, TreeServices } from "./ingest.ts";
import { pathBeside } from "./name-beside.ts";
import { removeTree } from "./remove-tree.ts";
import { writeFile, writeShortFile } from "./write-file.ts";

/** Options of {@link restore}. */
export interface RestoreOptions extends OperationOptions {
  /** Whether what stands at the destination is replaced, as a whole. Default false. */
  readonly overwrite?: boolean;
  /** Called after each entry. */
  readonly onProgress?: (progress: TreeProgress) => void;
}

/** Entries that are written at the same time. */
const CONCURRENCY = 50;

/**
 * A file up to this length, in bytes, is read before it is its turn to be written, and written on the spot: three calls of
 * the system that mostly take a few microseconds, where the thread pool takes a hundred.
 */
const SHORT_BYTES = 64 << 10;

/** Steps after which others have their turn: what is at hand comes without any wait. */
const STEPS_IN_A_ROW = 64;

/** Entries whose contents are read together, groups of them that are under way, and what they may hold in bytes. */
const GROUP_ENTRIES = 128;
const GROUPS_AHEAD = 3;
const BYTES_AHEAD = 8 << 20;

const DIRECTORY_MODE = 0o755;
const PRIVATE_MODE = 0o700;

/**
 * Writes a tree to the file system. It is put together beside the destination, under a name that
 * begins with a dot and where nobody else can enter, and gets its own name when it is complete: a failure
 * leaves nothing behind, and no link, neither of the tree nor of the destination, is ever followed.
 *
 * Modes are 0755 for directories and executables and 0644 for other files, less the umask.
 *
 * @param destination a path whose parent exists; bytes where it is not UTF-8
 * @throws CastoreError ALREADY_EXISTS when something stands there, INCOMPLETE when a blob or
 *   directory is missing, CORRUPT when one is damaged or of another length than its node says
 */
export async function restore(
  node: Node,
  destination: string | Uint8Array,
  services: TreeServices,
  options: RestoreOptions = {},
): Promise<void> {
  const target = withoutSlash(Buffer.from(destination));
  const { overwrite = false } = options;
  if (!overwrite) await refuseExisting(target);
  await refuseSpecial(target);
  const built = await pathBeside(target);
  const restorer = new Restorer(services, options);
  try {
    await restorer.write(node, built);
    options.signal?.throwIfAborted();
    if (overwrite && (await exists(target))) await replace(target, built);
    else {
      await refuseExisting(target);
      await onPath("create", target, () => rename(built, target));
    }
  } catch (error) {
    // What somebody else has made under this name is not ours to remove.
    if (restorer.hasBegun) await removeTree(built);
    throw inPlaceOf(error, built, target);
  }
}

/** A tree takes the place of a file, link or directory, and not of what others write to or read from. */
async function refuseSpecial(target: HostPath): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  const shown = showPath(target);
  const text = `${shown} is a device, pipe or socket, or leads to one: it is not replaced`;
  throw new CastoreError("UNSUPPORTED_FILE_TYPE", text, { subject: shown });
}

/** What failed at a place below the name for the time being, told of the place where it was to come. */
function inPlaceOf(error: unknown, built: HostPath, target: HostPath): unknown {
  const [from, to] = [showPath(built), showPath(target)];
  if (!CastoreError.is(error) || !error.message.includes(from)) return error;
  const subject = error.subject?.replaceAll(from, to);
  return new CastoreError(error.code, error.message.replaceAll(from, to), {
    cause: error.cause,
    ...(subject === undefined ? {} : { subject }),
  });
}

/** Puts a tree in the place of another; what stood there comes back when that fails. */
async function replace(target: HostPath, built: HostPath): Promise<void> {
  const replaced = await pathBeside(target);
  await onPath("replace", target, () => rename(target, replaced));
  try {
    await onPath("create", target, () => rename(built, target));
  } catch (error) {
    await onPath(`put back ${showPath(replaced)} as`, target, () => rename(replaced, target));
    throw error;
  }
  await removeTree(replaced);
}

/** What is no directory, and where it comes to. */
interface Leaf {
  readonly node: Exclude<Node, DirectoryNode>;
  readonly path: HostPath;
}

/** One whose contents are there already, where it is a short file. */
interface LoadedLeaf extends Leaf {
  readonly contents?: readonly Uint8Array[] | undefined;
}

class Restorer {
  readonly #services: TreeServices;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: RestoreOptions["onProgress"];
  readonly #progress = { entries: 0, bytes: 0 };
  #hasBegun = false;

  constructor(services: TreeServices, { signal, onProgress }: RestoreOptions) {
    this.#services = services;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /** Whether there is something at the path already. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Writes a node to a path where nothing is. Nobody else can enter a directory until it is complete. */
  async write(node: Node, path: HostPath): Promise<void> {
    if (node.type !== "directory") return await this.#writeAll(node, path);
    // The umask decides.
    await onPath("create directory", path, () => mkdir(path, { mode: DIRECTORY_MODE }));
    this.#hasBegun = true;
    const mode = (await lstat(path)).mode & 0o7777;
    await onPath("change", path, () => chmod(path, PRIVATE_MODE));
    await this.#writeAll(node, path);
    await onPath("change", path, () => chmod(path, mode));
  }

  async #writeAll(node: Node, path: HostPath): Promise<void> {
    // Directories are made on the way down, so that their entries can be written in any order.
    const written = mapConcurrently(this.#loaded(node, path), CONCURRENCY, async (leaf) => {
      this.#signal?.throwIfAborted();
      if (leaf.node.type === "symlink") {
        const { bytes } = leaf.node.target;
        await onPath("create link", leaf.path, () => symlink(Buffer.from(bytes), leaf.path));
        this.#hasBegun = true;
      } else if (leaf.contents !== undefined) this.#writeShort(leaf.node, leaf.path, leaf.contents);
      else await this.#writeLong(leaf.node, leaf.path);
      this.#done(leaf.node);
    });
    for await (const _ of written);
  }

  /** The same, with the contents of short files: read in groups, so that a peer is asked for many at once. */
  async *#loaded(root: Node, path: HostPath): AsyncGenerator<LoadedLeaf, void, undefined> {
    const ahead = {
      concurrency: GROUPS_AHEAD,
      budget: new ByteBudget(BYTES_AHEAD),
      bytesOf: (group: readonly Leaf[]) => group.reduce((sum, { node }) => sum + loadedBytes(node), 0),
    };
    const groups = mapConcurrently(
      inBatches(this.#leaves(root, path), GROUP_ENTRIES),
      ahead,
      async (group) => {
        const loaded = group.map((leaf) => this.#load(leaf));
        // Whoever is told of a failure may close the services: nobody reads from them then.
        await Promise.allSettled(loaded);
        return await Promise.all(loaded);
      },
    );
    for await (const group of groups) yield* group;
  }

  /** Makes the directories of a tree, and yields everything else in it. */
  async *#leaves(root: Node, path: HostPath): AsyncGenerator<Leaf, void, undefined> {
    const directories = new ReadAhead(this.#services.directoryService, { signal: this.#signal });
    const open: { node: Node; path: HostPath }[] = [{ node: root, path }];
    let steps = 0;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (++steps % STEPS_IN_A_ROW === 0) await letOthersRun();
      const { node, path: at } = next;
      if (node.type !== "directory") {
        yield { node, path: at };
        continue;
      }
      const directory = await directories.get(node.digest);
      if (directory === undefined) throw missing("directory", node, at);
      if (at !== path) onPathSync("create directory", at, () => mkdirSync(at, { mode: DIRECTORY_MODE }));
      this.#done(node);
      for (const entry of directory.entries.toReversed())
        open.push({ node: entry.node, path: joinPath(at, entry.name.bytes) });
    }
  }

  /** Reads what is short, so that many are asked for at once. */
  async #load(leaf: Leaf): Promise<LoadedLeaf> {
    const { node, path } = leaf;
    if (!isShort(node)) return leaf;
    const contents: Uint8Array[] = [];
    let length = 0;
    for await (const piece of await this.#open(node, path)) {
      // Of one that is longer than its node says no more than that is held: whoever writes it tells of it.
      const left = Number(node.size) + 1 - length;
      contents.push(piece.length <= left ? piece : copyBytes(piece.subarray(0, left)));
      length += piece.length;
      if (length > node.size) break;
    }
    return { ...leaf, contents };
  }

  async #open(node: FileNode, path: HostPath): Promise<ByteStream> {
    const { digest, size } = node;
    const contents = await this.#services.blobService.read(digest, {
      signal: this.#signal,
      sizeHint: Number(size),
    });
    if (contents === undefined) throw missing("blob", node, path);
    return contents;
  }

  #writeShort(node: FileNode, path: HostPath, contents: readonly Uint8Array[]): void {
    writeShortFile(node, path, contents);
    this.#hasBegun = true;
  }

  async #writeLong(node: FileNode, path: HostPath): Promise<void> {
    const contents = await this.#open(node, path);
    await writeFile(node, path, contents, () => {
      this.#hasBegun = true;
    });
  }

  #done(node: Node): void {
    this.#progress.entries++;
    if (node.type === "file") this.#progress.bytes += Number(node.size);
    this.#onProgress?.({ ...this.#progress });
  }
}

function isShort(node: Node): node is FileNode {
  return node.type === "file" && node.size <= SHORT_BYTES;
}

function loadedBytes(node: Node): number {
  return isShort(node) ? Number(node.size) : 0;
}

async function refuseExisting(target: HostPath): Promise<void> {
  if (!(await exists(target))) return;
  const shown = showPath(target);
  throw new CastoreError("ALREADY_EXISTS", `${shown} exists already`, { subject: shown });
}

function missing(kind: "blob" | "directory", node: FileNode | DirectoryNode, path: HostPath): CastoreError {
  const text = `${kind} ${node.digest} of ${showPath(path)} is not in the store`;
  return new CastoreError("INCOMPLETE", text, { subject: node.digest.toString() });
}

function withoutSlash(path: HostPath): HostPath {
  let end = path.length;
  while (end > 1 && path[end - 1] === 0x2f) end--;
  return path.subarray(0, end);
}
