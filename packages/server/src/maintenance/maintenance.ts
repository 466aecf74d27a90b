import type { B3Digest, OperationOptions } from "@tvix/castore";
import type { VerifyOptions } from "@tvix/castore/backend";
import type { CopyContents, CopyState, FilePart, StoreSize } from "@tvix/castore-packs";
import type { NarComparison } from "@tvix/nar-bridge";
import type { StorePath } from "@tvix/nix-compat";
import type { ReasonToGo, Retention } from "@tvix/store/collect";
import type { RepairAction, RepairStep } from "@tvix/store/repair";
import type { StoreStats } from "@tvix/store/stats";
import type { StoreFault, VerifiedStoreCounts } from "@tvix/store/verify";

/** What is counted of contents. */
export interface ContentsFound {
  /** Blobs of several chunks. */
  readonly blobs: number;
  /** Chunks; a short blob is one. */
  readonly chunks: number;
  readonly directories: number;
  /** As they are stored. */
  readonly bytes: number;
}

/** A store path that goes, and why. */
export interface GoingPath {
  readonly storePath: string;
  readonly reason: ReasonToGo;
}

/** What a collection is to do; what is not said is as the store is set up. */
export interface CollectionRequest extends OperationOptions, Retention {
  readonly dryRun?: boolean | undefined;
  /** Time between the two looks, in milliseconds. */
  readonly graceMs?: number | undefined;
  /** Told of each path that goes. */
  readonly onPath?: (path: GoingPath) => Promise<void> | void;
}

/** What a collection has done. */
export interface CollectionResult {
  /** Store paths that went. */
  readonly paths: number;
  /** What a second look has removed; undefined where none was due. */
  readonly removed: ContentsFound | undefined;
  /** What a first look has condemned, or a dry run has found; undefined where none was due. */
  readonly condemned: ContentsFound | undefined;
  /** From when on what is condemned can be removed, in milliseconds since 1970. */
  readonly due: number | undefined;
  /** Bytes of the disk that were given back. */
  readonly freedBytes: number;
  /** Chunks that are damaged, and keep the room of others. */
  readonly damaged: number;
}

/** What was forgotten. */
export interface ForgetResult {
  /** Empty when there was no such path. */
  readonly storePaths: readonly string[];
  readonly removed: ContentsFound | undefined;
  readonly freedBytes: number;
  /** Chunks that are damaged, and keep the files in which they lie: bytes of what was forgotten may be in these. */
  readonly damaged: number;
}

/** What is looked through, and how. */
export interface VerificationRequest extends VerifyOptions {
  /** Told of each fault. */
  readonly onFault?: (fault: StoreFault) => Promise<void> | void;
}

/** What was looked at. */
export interface VerificationResult extends VerifiedStoreCounts {
  readonly faults: number;
}

/** What is mended, and how. */
export interface RepairRequest extends VerifyOptions {
  /** Told of each step. */
  readonly onStep?: (step: RepairStep) => Promise<void> | void;
}

/** What a repair has looked at, and how many steps of each kind it has taken. */
export interface RepairResult extends VerifiedStoreCounts {
  readonly steps: Readonly<Record<RepairAction, number>>;
}

/** What is stored, and how much that takes. */
export interface StatsResult extends StoreStats {
  /** Bytes of the files of the store. */
  readonly files: StoreSize;
  /** What some of the paths take as compressed NARs; undefined where nothing was compared. */
  readonly comparison: NarComparison | undefined;
}

/** How much is looked at for a {@link StatsResult}. */
export interface StatsRequest extends OperationOptions {
  /** How many paths, drawn at random, are compressed as NARs. Default none. */
  readonly comparedPaths?: number | undefined;
}

/** What is kept under a name: a path with all that it refers to, a directory with all below it, a blob. */
export type PinnedObject = StorePath | { readonly type: "directory" | "file"; readonly digest: B3Digest };

/** A name and what it keeps. */
export interface NamedPin {
  readonly name: string;
  readonly object: PinnedObject;
}

/** What those who run a store do with it. */
export interface Maintenance {
  /** @throws CastoreError LOCKED when somebody collects; CORRUPT, INCOMPLETE when it cannot be told what is reachable */
  collect(request?: CollectionRequest): Promise<CollectionResult>;
  /** Whether a collection was interrupted, which the next one takes up. */
  isUnfinished?(): Promise<boolean>;
  /** Removes a path at once. @throws StoreError IN_USE, CastoreError LOCKED */
  forget(
    storePath: StorePath,
    options?: OperationOptions & { readonly withReferrers?: boolean },
  ): Promise<ForgetResult>;
  /** Looks through everything that is stored. */
  verify(request?: VerificationRequest): Promise<VerificationResult>;
  /** Looks through everything that is stored, and mends what is wrong. */
  repair(request?: RepairRequest): Promise<RepairResult>;
  /**
   * What a copy of the store lacks; see `Store.backup` of `@tvix/castore-packs`.
   *
   * @param onContents told what the copy consists of, before the last part at the latest
   */
  backup(
    copy: CopyState,
    onContents: (contents: CopyContents) => void,
    options?: OperationOptions,
  ): AsyncIterable<FilePart>;
  stats(request?: StatsRequest): Promise<StatsResult>;
  /** @throws StoreError INVALID_NAME, MISSING_REFERENCES; CastoreError INCOMPLETE */
  setPin(pin: NamedPin, options?: OperationOptions): Promise<void>;
  /** @returns whether there was such a pin */
  removePin(name: string, options?: OperationOptions): Promise<boolean>;
  /** All pins, in the order of their names. */
  pins(options?: OperationOptions): AsyncIterable<NamedPin>;
}
