import { encodeHex } from "@tvix/byte-stream";
import { type DirectoryService, isDamage, type OperationOptions, type RecordStore } from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { PATH_INFOS } from "../records/tables.ts";
import { indexedTreeOf, indexTree } from "./index-tree.ts";
import { INDEXED_TREES } from "./tables.ts";

/** What is indexed. */
export interface IndexingServices {
  /** Of the store that has the path infos; the index is kept there as well. */
  readonly records: RecordStore;
  readonly directoryService: Pick<DirectoryService, "get">;
  /** Trees with more entries are not indexed. Default 2,000,000. */
  readonly maxEntries?: number | undefined;
}

/** Paths that wait for their turn; of more, the next look at all of them finds those that were left out. */
const MAX_WAITING = 10_000;

/** How often all paths are looked at, in milliseconds: other processes store some as well. */
const LOOK_MS = 3_600_000;

/** Paths that are looked at together. */
const TOGETHER = 500;

/**
 * Keeps the index of files up to date, one store path at a time, while others go on: of what is put through it at once,
 * of all other paths at the start and each hour.
 */
export class BackgroundFileIndexing {
  readonly #services: IndexingServices;
  readonly #onFailure: (error: unknown, pathDigest: Uint8Array | undefined) => void;
  /** Digests of the paths that wait for their turn. */
  readonly #waiting: Map<string, Uint8Array> = new Map();
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #looksAtAll = true;
  #working: Promise<void> | undefined;

  /** @param onFailure told of what could not be indexed; it is tried again with the next look */
  constructor(
    services: IndexingServices,
    onFailure: (error: unknown, pathDigest: Uint8Array | undefined) => void = () => {},
  ) {
    this.#services = services;
    this.#onFailure = onFailure;
    this.#timer = setInterval(() => {
      this.#looksAtAll = true;
      this.#work();
    }, LOOK_MS);
    this.#timer.unref();
    this.#work();
  }

  /** Indexes a path soon. @param pathDigest 20 bytes */
  note(pathDigest: Uint8Array): void {
    if (this.#waiting.size < MAX_WAITING) this.#waiting.set(encodeHex(pathDigest), pathDigest);
    else this.#looksAtAll = true;
    this.#work();
  }

  /** Waits until all is indexed that was noted or found so far. */
  async flush(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Ends what is under way; the next process begins with it again. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort(new Error("the index of files is closed"));
    await this.flush();
  }

  #work(): void {
    if (this.#ending.signal.aborted) return;
    this.#working ??= this.#indexAll().finally(() => {
      this.#working = undefined;
      // Something came when the last one was done.
      if (this.#waiting.size > 0 || this.#looksAtAll) this.#work();
    });
  }

  async #indexAll(): Promise<void> {
    await this.#indexWaiting();
    while (this.#looksAtAll && !this.#ending.signal.aborted) {
      this.#looksAtAll = false;
      try {
        for await (const pathDigest of this.#notIndexed()) {
          await this.#index(pathDigest);
          await this.#indexWaiting();
        }
      } catch (error) {
        if (!this.#ending.signal.aborted) this.#onFailure(error, undefined);
      }
    }
  }

  async #indexWaiting(): Promise<void> {
    for (const [key, pathDigest] of this.#waiting) {
      this.#waiting.delete(key);
      if (!this.#ending.signal.aborted) await this.#index(pathDigest);
    }
  }

  async #index(pathDigest: Uint8Array): Promise<void> {
    const { records, directoryService, maxEntries } = this.#services;
    const { signal } = this.#ending;
    try {
      await indexTree(records, directoryService, pathDigest, { signal, maxEntries });
    } catch (error) {
      if (!signal.aborted) this.#onFailure(error, pathDigest);
    }
  }

  async *#notIndexed(): AsyncGenerator<Uint8Array, void, undefined> {
    const { records } = this.#services;
    const options: OperationOptions = { signal: this.#ending.signal };
    for await (const batch of inBatches(PATH_INFOS.entries(records, undefined, options), TOGETHER)) {
      const infos = batch.flatMap((entry) => readable(() => entry.value()));
      const trees = infos.flatMap((info) => indexedTreeOf(info) ?? []);
      const known = await records.getMany(trees.map((tree) => INDEXED_TREES.keyOf(tree)));
      for (const [index, tree] of trees.entries()) {
        const record = known[index];
        const state = record && INDEXED_TREES.decode(tree, record);
        if (state === undefined || state.type === "under way") yield tree.pathDigest;
      }
    }
  }
}

/** The same path infos; the files of those that are put are indexed. */
export class FileIndexingPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #indexing: Pick<BackgroundFileIndexing, "note">;

  constructor(inner: PathInfoService, indexing: Pick<BackgroundFileIndexing, "note">) {
    this.#inner = inner;
    this.#indexing = indexing;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const stored = await this.#inner.put(info, options);
    this.#indexing.note(stored.storePath.digest);
    return stored;
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    await this.#inner.checkPut?.(claim, options);
  }

  async forget(digest: Uint8Array): Promise<void> {
    await this.#inner.forget?.(digest);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}

/** A damaged path info is nobody's here. */
function readable(read: () => PathInfo): readonly PathInfo[] {
  try {
    return [read()];
  } catch (error) {
    if (isDamage(error)) return [];
    throw error;
  }
}
