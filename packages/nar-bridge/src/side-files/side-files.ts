import type { B3Digest, OperationOptions } from "@tvix/castore";

/** How a file is stored. */
export interface PutSideFileOptions extends OperationOptions {
  /** Whether it may take the place of another one. Default: it may. */
  readonly mayReplace?: boolean;
}

/** A file beside the NARs of a cache, such as a log. */
export interface SideFile {
  /** Its contents, a blob. */
  readonly digest: B3Digest;
  /** In bytes, as it is stored. */
  readonly size: number;
  readonly contentType: string | undefined;
}

/** Files beside the NARs, by their path in the cache, such as `log/….drv`. */
export interface SideFiles {
  /** The file of this path, undefined when there is none. */
  get(path: string, options?: OperationOptions): Promise<SideFile | undefined>;
  /**
   * Stores a file; durable on return. Its blob is there already.
   *
   * @throws StoreError CONFLICT when other contents are there, which it may not replace
   */
  put(path: string, file: SideFile, options?: PutSideFileOptions): Promise<void>;
}
