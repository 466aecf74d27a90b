import type { BlobService } from "../blob/blob-service.ts";
import type { Scratch } from "../collect/collect.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "../directory/directory.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import type { Node } from "../directory/node.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import type { Content } from "../records/tables.ts";
import { BlobCheck } from "../verify/blob-check.ts";
import { TreeCheck } from "../verify/tree-check.ts";
import { isFault } from "../verify/verify-contents.ts";

/** Where contents come from that a store has lost; what it gives is compared with its digest. */
export interface ContentSource {
  readonly blobService?: Pick<BlobService, "read"> | undefined;
  readonly directoryService?: Pick<DirectoryService, "getRecursive"> | undefined;
}

/** What contents are mended in. */
export interface MendingParts {
  readonly records: RecordStore;
  readonly openScratch: () => Promise<Scratch>;
  readonly blobService: Pick<BlobService, "put">;
  readonly directoryService: Pick<DirectoryService, "putMany">;
  /** Told of a source that could not be asked. Default: nobody is. */
  readonly onFailure?: (error: unknown) => void;
}

/** Pieces of a tree that are fetched before it is looked at again. */
const AT_A_TIME = 10_000;

/** Directories of one tree that are held until all of them have come: they are stored from the leaves up. */
const MOST_DIRECTORIES = 200_000;

/** Stores contents again that a store has lost, from others that have them. */
export class ContentMender {
  readonly #parts: MendingParts;
  readonly #sources: readonly ContentSource[];

  /** @param sources are asked in their order */
  constructor(parts: MendingParts, sources: readonly ContentSource[]) {
    this.#parts = parts;
    this.#sources = sources;
  }

  /** Fetches what is missing below a node. @returns whether all of it is there then */
  async tree(node: Node, options: OperationOptions = {}): Promise<boolean> {
    for (;;) {
      const broken = await this.#brokenBelow(node, options);
      if (broken.length === 0) return true;
      let mended = 0;
      for (const content of broken) if (await this.content(content, options)) mended++;
      // What lies below a directory that has come may be missing as well.
      if (mended === 0) return false;
    }
  }

  /** Fetches something, a directory with all that are below it. @returns whether it has come */
  async content(content: Content, options: OperationOptions = {}): Promise<boolean> {
    for (const source of this.#sources) {
      try {
        const { kind, digest } = content;
        if (kind === "directory" && (await this.#directories(source, digest, options))) return true;
        if (kind !== "directory" && (await this.#blob(source, digest, options))) return true;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (isOfMendedStore(error)) throw error;
        this.#parts.onFailure?.(error);
      }
    }
    return false;
  }

  async #blob(source: ContentSource, digest: B3Digest, options: OperationOptions): Promise<boolean> {
    const stream = await source.blobService?.read(digest, options);
    if (stream === undefined) return false;
    const stored = await this.#parts.blobService.put(stream, options);
    return stored.equals(digest) && (await isThere(() => new BlobCheck(this.#parts.records).blob(digest)));
  }

  async #directories(source: ContentSource, digest: B3Digest, options: OperationOptions): Promise<boolean> {
    if (source.directoryService === undefined) return false;
    const directories: Directory[] = [];
    for await (const directory of source.directoryService.getRecursive(digest, options)) {
      directories.push(directory);
      if (directories.length > MOST_DIRECTORIES) return false;
    }
    // Each comes after some parent of it, so backwards before all of them.
    if (directories.length > 0) await this.#parts.directoryService.putMany(directories.reverse(), options);
    return directories.length > 0;
  }

  async #brokenBelow(node: Node, options: OperationOptions): Promise<readonly Content[]> {
    const scratch = await this.#parts.openScratch();
    try {
      return await new TreeCheck(this.#parts.records, scratch.records).brokenBelow(node, AT_A_TIME, options);
    } finally {
      await scratch.remove();
    }
  }
}

/** Whether a failure is one of the store that is mended: nobody else is asked then, and nothing counts as lost. */
export function isOfMendedStore(error: unknown): boolean {
  return CastoreError.is(error) && ["NO_SPACE", "STORAGE_FAILURE", "CLOSED"].includes(error.code);
}

async function isThere(check: () => Promise<unknown>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}
