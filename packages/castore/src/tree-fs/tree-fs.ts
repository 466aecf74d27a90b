import { collect } from "@tvix/byte-stream";
import type { BlobService } from "../blob/blob-service.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import type { DirectoryEntry, FileNode, Node } from "../directory/node.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import { type Resolved, resolveInTree } from "./resolve.ts";
import { TreeFsError } from "./tree-fs-error.ts";

/** Where a tree lies. */
export interface TreeFsServices {
  readonly blobService: Pick<BlobService, "read">;
  readonly directoryService: Pick<DirectoryService, "get">;
}

/** A path in a tree: names between slashes, from the root down; a slash in front means nothing. */
export type TreeFsPath = string | Uint8Array;

/** Options of reading a file as a whole. */
export interface ReadFileOptions extends OperationOptions {
  /** Longest file that is read, in bytes; EFBIG for a longer one. Default 256 MiB. */
  readonly maxBytes?: number;
}

/** Which part of a file a stream has, as `fs.createReadStream` counts. */
export interface ReadStreamOptions extends OperationOptions {
  /** First byte, from 0. Default 0. */
  readonly start?: number;
  /** Last byte, which is read as well. Default: to the end. */
  readonly end?: number;
}

const MAX_BYTES = 256 << 20;

/**
 * A tree of a store as a file system that is only read, for programs that know `node:fs/promises`; in Node and in
 * browsers. Symbolic links are followed within the tree. Nothing is read before it is asked for.
 *
 * ```ts
 * const tree = new TreeFs(root, { blobService, directoryService });
 * const text = await tree.readFile("share/doc/README", "utf8");
 * ```
 *
 * Paths that cannot be used so fail with {@link TreeFsError} and the codes of `node:fs`; failures of the services are
 * theirs.
 */
export class TreeFs {
  /** The root. */
  readonly root: Node;
  readonly #services: TreeFsServices;

  constructor(root: Node, services: TreeFsServices) {
    this.root = root;
    this.#services = services;
  }

  /** What is at a path, links followed. @throws TreeFsError ENOENT, ENOTDIR, ELOOP, EINVAL */
  async stat(path: TreeFsPath): Promise<Node> {
    return (await this.#resolve(path, true)).node;
  }

  /** The same, where a link at the end is the link itself. */
  async lstat(path: TreeFsPath): Promise<Node> {
    return (await this.#resolve(path, false)).node;
  }

  /** Whether there is something at a path; a link that leads nowhere is nothing. */
  async exists(path: TreeFsPath): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (TreeFsError.is(error)) return false;
      throw error;
    }
  }

  /** The path without links, names joined by slashes; empty for the root. */
  async realpath(path: TreeFsPath): Promise<string> {
    return (await this.#resolve(path, true)).names.join("/");
  }

  /** What a link points to. @throws TreeFsError EINVAL for what is no link */
  async readlink(path: TreeFsPath): Promise<string> {
    const node = await this.lstat(path);
    if (node.type !== "symlink") throw new TreeFsError("EINVAL", "not a link", shown(path));
    return node.target.toString();
  }

  /** The entries of a directory, in bytewise order of their names. @throws TreeFsError ENOTDIR */
  async readdir(path: TreeFsPath): Promise<readonly DirectoryEntry[]> {
    const node = await this.stat(path);
    if (node.type !== "directory") throw new TreeFsError("ENOTDIR", "not a directory", shown(path));
    const directory = await this.#services.directoryService.get(node.digest);
    if (directory === undefined) throw missing("directory", node.digest);
    return directory.entries;
  }

  /** A file as a whole. @throws TreeFsError EISDIR, EFBIG */
  async readFile(path: TreeFsPath, options?: ReadFileOptions): Promise<Uint8Array>;
  async readFile(path: TreeFsPath, encoding: "utf8", options?: ReadFileOptions): Promise<string>;
  async readFile(
    path: TreeFsPath,
    encoding: "utf8" | ReadFileOptions = {},
    more: ReadFileOptions = {},
  ): Promise<Uint8Array | string> {
    const { maxBytes = MAX_BYTES, ...options } = encoding === "utf8" ? more : encoding;
    const file = await this.#file(path);
    if (file.size > BigInt(maxBytes)) {
      throw new TreeFsError("EFBIG", `the file has ${file.size} bytes, more than ${maxBytes}`, shown(path));
    }
    const bytes = await collect(await this.#read(file, 0, undefined, options), maxBytes);
    return encoding === "utf8" ? new TextDecoder().decode(bytes) : bytes;
  }

  /**
   * A file, or a part of it, as a stream of the platform: it is read as fast as it is taken, and no further when it is
   * cancelled. What is wrong with the path is told by the first read.
   */
  createReadStream(path: TreeFsPath, options: ReadStreamOptions = {}): ReadableStream<Uint8Array> {
    const { start = 0, end, ...others } = options;
    const open = async function* (this: TreeFs) {
      const file = await this.#file(path);
      yield* await this.#read(file, start, end === undefined ? undefined : end - start + 1, others);
    }.call(this);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await open.next();
          if (next.done === true) controller.close();
          // Whoever reads it may keep it.
          else controller.enqueue(new Uint8Array(next.value));
        },
        async cancel() {
          await open.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  #resolve(path: TreeFsPath, follow: boolean): Promise<Resolved> {
    return resolveInTree(this.#services.directoryService, this.root, path, follow);
  }

  async #file(path: TreeFsPath): Promise<FileNode> {
    const node = await this.stat(path);
    if (node.type === "file") return node;
    throw new TreeFsError("EISDIR", "is a directory", shown(path));
  }

  async #read(
    { digest, size }: FileNode,
    offset: number,
    length: number | undefined,
    options: OperationOptions,
  ): Promise<AsyncIterable<Uint8Array>> {
    const part = length === undefined ? { offset } : { offset, length };
    const contents = await this.#services.blobService.read(digest, {
      ...options,
      ...part,
      sizeHint: Number(size),
    });
    if (contents === undefined) throw missing("blob", digest);
    return contents;
  }
}

function shown(path: TreeFsPath): string {
  return typeof path === "string" ? path : new TextDecoder().decode(path);
}

function missing(what: string, digest: FileNode["digest"]): CastoreError {
  return new CastoreError("INCOMPLETE", `${what} ${digest} is not in the store`, {
    subject: digest.toString(),
  });
}
