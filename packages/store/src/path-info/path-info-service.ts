import type { OperationOptions } from "@tvix/castore";
import type { PathInfo } from "./path-info.ts";

/** What is told of a path before its contents are there. */
export type PathInfoClaim = Omit<PathInfo, "node">;

/**
 * Makes what is stored of what is there at that moment, undefined for nothing or something damaged, and what
 * is put. What it throws is thrown by the put, and nothing is stored.
 */
export type ReconcilePathInfo = (known: PathInfo | undefined, put: PathInfo) => PathInfo;

/** Options of a put. */
export interface PutPathInfoOptions extends OperationOptions {
  /**
   * May be called again where somebody else was quicker: nobody puts the same path in between. Default: what
   * is put takes the place of what is there.
   */
  readonly reconcile?: ReconcilePathInfo | undefined;
}

/**
 * What is known about store paths, by the digest of the path (20 bytes).
 *
 * A put does not check that the contents are there: whoever ingests them puts the PathInfo
 * last. Calls may overlap; of two puts of one path either may win, unless they are reconciled.
 */
export interface PathInfoService {
  /**
   * What is known of a store path, undefined when nothing is.
   *
   * @param digest 20 bytes; RangeError for another length
   * @throws StoreError CORRUPT when what is stored is damaged
   */
  get(digest: Uint8Array, options?: OperationOptions): Promise<PathInfo | undefined>;

  /**
   * Stores what is known of a path, in place of what was unless the options tell otherwise, and returns it
   * as it is stored: a service may add a signature.
   */
  put(info: PathInfo, options?: PutPathInfoOptions): Promise<PathInfo>;

  /**
   * Fails as a put would that is refused whatever the contents are; absent where none is. Whoever takes
   * in contents for a path learns here that it is in vain.
   */
  checkPut?(claim: PathInfoClaim, options?: OperationOptions): Promise<void>;

  /**
   * A path info has been removed from the store: what this service remembers of it in memory goes too. Absent where
   * nothing is remembered.
   */
  forget?(digest: Uint8Array): Promise<void>;

  /** Every PathInfo, in any order; memory does not grow with their number. */
  list(options?: OperationOptions): AsyncIterable<PathInfo>;
}

/** @throws RangeError when it is not 20 bytes */
export function checkPathDigest(digest: Uint8Array): void {
  if (digest.length !== 20) {
    throw new RangeError(`the digest of a store path has 20 bytes, not ${digest.length}`);
  }
}
