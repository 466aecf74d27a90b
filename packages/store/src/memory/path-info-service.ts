import { encodeHex } from "@tvix/byte-stream";
import type { OperationOptions } from "@tvix/castore";
import { LRUCache } from "lru-cache";
import type { PathInfo } from "../path-info/path-info.ts";
import {
  checkPathDigest,
  type PathInfoService,
  type PutPathInfoOptions,
} from "../path-info/path-info-service.ts";

/** Options of {@link MemoryPathInfoService}. */
export interface MemoryPathInfoOptions {
  /**
   * Most PathInfos that are kept; those that were asked for the longest time ago go first.
   * Default: all are kept.
   */
  readonly maxEntries?: number;
  /** How long each is kept, in milliseconds, where there are at most so many. Default: for ever. */
  readonly maxAgeMs?: number | undefined;
}

/** PathInfos in memory: of a store, or near to one that is far. */
export class MemoryPathInfoService implements PathInfoService {
  readonly #infos: Map<string, PathInfo> | LRUCache<string, PathInfo>;

  constructor({ maxEntries, maxAgeMs = 0 }: MemoryPathInfoOptions = {}) {
    this.#infos = maxEntries === undefined ? new Map() : new LRUCache({ max: maxEntries, ttl: maxAgeMs });
  }

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    checkPathDigest(digest);
    signal?.throwIfAborted();
    return this.#infos.get(encodeHex(digest));
  }

  async put(info: PathInfo, { signal, reconcile }: PutPathInfoOptions = {}): Promise<PathInfo> {
    signal?.throwIfAborted();
    const key = encodeHex(info.storePath.digest);
    const stored = reconcile === undefined ? info : reconcile(this.#infos.get(key), info);
    this.#infos.set(key, stored);
    return stored;
  }

  /** A path info is there no more. */
  async forget(digest: Uint8Array): Promise<void> {
    this.#infos.delete(encodeHex(digest));
  }

  async *list({ signal }: OperationOptions = {}): AsyncIterable<PathInfo> {
    signal?.throwIfAborted();
    for (const info of this.#infos.values()) {
      signal?.throwIfAborted();
      yield info;
    }
  }
}
