import type { BlobService, DirectoryService, Node } from "@tvix/castore";

/** A root that is served by a name, as store paths are. */
export interface NamedRoot {
  readonly node: Node;
  /** The whole name, where only a part of it was asked for. */
  readonly name: string;
}

/** Finds a root by the first part of a path below `/serve/`; undefined where there is none. */
export type FindRoot = (name: string) => Promise<NamedRoot | undefined>;

/** What is served over HTTP, and how. */
export interface CastoreHttpOptions {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** Roots of `/serve/`. Default: nothing is there. */
  readonly findRoot?: FindRoot | undefined;
  /** Names of files that are served for the directory they lie in, the first one that is there. Default `index.html`. */
  readonly indexNames?: readonly string[] | undefined;
  /** Time without a byte going out after which a client is taken for gone, in milliseconds. Default 60 s. */
  readonly stallMs?: number | undefined;
}

/** Options with everything decided. */
export type CastoreHttp = { readonly [K in keyof CastoreHttpOptions]-?: NonNullable<CastoreHttpOptions[K]> };

/** Everything that was left open. */
export function decided(options: CastoreHttpOptions): CastoreHttp {
  const { blobService, directoryService } = options;
  const { findRoot = async () => undefined, indexNames = ["index.html"], stallMs = 60_000 } = options;
  return { blobService, directoryService, findRoot, indexNames, stallMs };
}
