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
  /**
   * Memory that they take at the most, in bytes, as far as it can be told from what they consist of: one may have two references or
   * 100,000. What is longer alone is not kept. Default: no matter how much.
   */
  readonly maxBytes?: number;
  /** How long each is kept, in milliseconds, where there are at most so many or so much. Default: for ever. */
  readonly maxAgeMs?: number | undefined;
}

/**
 * What a path info takes, with the bytes that it was read from, and each store path or signature in it, beside the characters of their names:
 * as measured of short ones, in bytes.
 */
const INFO_BYTES = 3200;
const PART_BYTES = 320;

function bytesOf({ references, signatures, deriver, node }: PathInfo): number {
  let bytes = INFO_BYTES + PART_BYTES * (references.length + signatures.length);
  if (node.type === "symlink") bytes += node.target.bytes.length;
  for (const { name } of references) bytes += name.length;
  for (const { name } of signatures) bytes += name.length;
  return bytes + (deriver?.name.length ?? 0);
}

/** PathInfos in memory: of a store, or near to one that is far. */
export class MemoryPathInfoService implements PathInfoService {
  readonly #infos: Map<string, PathInfo> | LRUCache<string, PathInfo>;

  constructor({ maxEntries, maxBytes, maxAgeMs = 0 }: MemoryPathInfoOptions = {}) {
    const [max, ttl] = [maxEntries ?? 0, maxAgeMs];
    if (maxBytes !== undefined)
      this.#infos = new LRUCache({ max, ttl, maxSize: maxBytes, sizeCalculation: bytesOf });
    else this.#infos = maxEntries === undefined ? new Map() : new LRUCache({ max, ttl });
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
