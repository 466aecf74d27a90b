import type { B3Digest, OperationOptions } from "@tvix/castore";

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
  /** Stores a file in place of what was; durable on return. Its blob is there already. */
  put(path: string, file: SideFile, options?: OperationOptions): Promise<void>;
}
