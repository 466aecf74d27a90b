import {
  BlobCopier,
  type BlobService,
  CastoreError,
  type CopiedBlob,
  childrenFirst,
  type Directory,
  type DirectoryService,
  type Node,
  type OperationOptions,
  OwnAbort,
} from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";
import { ClosureWalk } from "./closure.ts";

/** A store that paths are copied from, or to. */
export interface CopiedStore {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  readonly pathInfoService: PathInfoService;
}

/** What a copy has done so far. */
export interface CopyProgress {
  /** Paths that were looked at. */
  readonly paths: number;
  /** Those of them that were not there. */
  readonly copiedPaths: number;
  /** Lengths of the NARs of these, in bytes. */
  readonly narBytes: number;
  /** Bytes of their files that were sent, because they were not there in any path. */
  readonly sentBytes: number;
}

/** Options of {@link copyPaths}. */
export interface CopyOptions extends OperationOptions {
  /** Told after each path. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** Paths that are copied at a time. */
const PATHS_AT_ONCE = 8;

/**
 * Copies paths with all that they refer to from one store to another, each after those it refers to. Of
 * their contents what is there already stays where it is: whole paths, whole files, and chunks of files.
 * A copy that was interrupted goes on where it stopped.
 *
 * @param roots path infos of the source
 * @throws StoreError MISSING_REFERENCES; CastoreError INCOMPLETE when contents are not in the source
 */
export async function copyPaths(
  roots: AsyncIterable<PathInfo> | Iterable<PathInfo>,
  from: CopiedStore,
  to: CopiedStore,
  options: CopyOptions = {},
): Promise<CopyProgress> {
  const copy = new Copy(from, to, options);
  const walk = new ClosureWalk(from.pathInfoService);
  try {
    for await (const root of roots) {
      for await (const info of walk.from(root, options)) await copy.begin(info);
    }
    await copy.finished();
    return copy.progress;
  } catch (error) {
    await copy.giveUp(error);
    throw error;
  } finally {
    copy.end();
  }
}

/**
 * Copies contents that no path leads to, one after the other. What is there already stays where it is.
 *
 * @throws CastoreError INCOMPLETE when they are not in the source
 */
export async function copyContents(
  nodes: AsyncIterable<Node> | Iterable<Node>,
  from: CopiedStore,
  to: CopiedStore,
  options: CopyOptions = {},
): Promise<void> {
  const copy = new Copy(from, to, options);
  try {
    for await (const node of nodes) await copy.copyContents(node);
  } finally {
    copy.end();
  }
}

/** One copy of many paths, some of them at a time. */
class Copy {
  readonly #from: CopiedStore;
  readonly #to: CopiedStore;
  readonly #onProgress: (progress: CopyProgress) => void;
  readonly #leaving: OwnAbort;
  readonly #blobs: BlobCopier;
  /** Paths under way, by their names; a path is told of when all that it refers to has been. */
  readonly #underWay: Map<string, Promise<void>> = new Map();
  #failure: { readonly error: unknown } | undefined;
  #paths = 0;
  #copiedPaths = 0;
  #narBytes = 0;
  #sentBytes = 0;

  constructor(from: CopiedStore, to: CopiedStore, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    const { signal, onProgress = () => {} } = options;
    this.#onProgress = onProgress;
    this.#leaving = new OwnAbort(signal);
    this.#blobs = new BlobCopier(from.blobService, to.blobService, (bytes) => {
      this.#sentBytes += bytes;
    });
  }

  get progress(): CopyProgress {
    return {
      paths: this.#paths,
      copiedPaths: this.#copiedPaths,
      narBytes: this.#narBytes,
      sentBytes: this.#sentBytes,
    };
  }

  /** Begins to copy a path; what it refers to has begun before. Waits while many are under way. */
  async begin(info: PathInfo): Promise<void> {
    while (this.#underWay.size >= PATHS_AT_ONCE) await Promise.race(this.#underWay.values());
    if (this.#failure !== undefined) throw this.#failure.error;
    const name = info.storePath.toString();
    const references = info.references.flatMap((path) => this.#underWay.get(path.toString()) ?? []);
    const copying = this.#copy(info, references)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, copying);
  }

  /** @throws the first failure */
  async finished(): Promise<void> {
    await Promise.all(this.#underWay.values());
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Ends what is under way, and waits for that. */
  async giveUp(reason: unknown): Promise<void> {
    this.#leaving.abort(reason);
    await Promise.all(this.#underWay.values());
  }

  /** Listens to the signal of whoever asks no more. */
  end(): void {
    this.#leaving.end();
  }

  async #copy(info: PathInfo, references: readonly Promise<void>[]): Promise<void> {
    const { signal } = this.#leaving;
    const known = await this.#to.pathInfoService.get(info.storePath.digest, { signal });
    if (known?.storePath.equals(info.storePath) !== true || !known.narHash.equals(info.narHash)) {
      await this.copyContents(info.node);
      await Promise.all(references);
      // One of these may have failed, and then this one is not told of.
      if (this.#failure !== undefined) return;
      await this.#to.pathInfoService.put(info, { signal });
      this.#copiedPaths++;
      this.#narBytes += info.narSize;
    }
    this.#paths++;
    this.#onProgress(this.progress);
  }

  /** Files first, so that no directory refers to one that is not there. */
  async copyContents(node: Node): Promise<void> {
    const { signal } = this.#leaving;
    if (node.type === "symlink") return;
    if (node.type === "file") {
      await this.#blobs.copy([node], { signal });
      return;
    }
    const directories = new Map<string, Directory>();
    const files = new Map<string, CopiedBlob>();
    for await (const directory of this.#from.directoryService.getRecursive(node.digest, { signal })) {
      directories.set(directory.digest().key, directory);
      for (const { node: child } of directory.entries) {
        if (child.type === "file") files.set(child.digest.key, child);
      }
    }
    if (directories.size === 0) {
      const subject = node.digest.toString();
      throw new CastoreError("INCOMPLETE", `directory ${subject} is not in the store that is copied from`, {
        subject,
      });
    }
    await this.#blobs.copy([...files.values()], { signal });
    await this.#to.directoryService.putMany(childrenFirst(node.digest, directories), { signal });
  }
}
