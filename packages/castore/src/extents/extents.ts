import type { ChunkEncoding, EncodedChunk, FreshlyEncoded } from "../chunks/chunk-codec.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { CastoreError } from "../errors/castore-error.ts";
import type { RecordCondition } from "../records/record-store.ts";

/** Where a chunk lies in {@link Extents}, and how it is stored there. */
export interface ExtentLocation {
  /** Number of the extent, from 1 to 2^32 - 1. */
  readonly extent: number;
  /** Place in the extent, in bytes, as {@link Extents} count them: below 2^53. */
  readonly offset: number;
  readonly encoding: ChunkEncoding;
  /** Length of the chunk itself, in bytes. */
  readonly size: number;
  /** Length of what is stored of it, in bytes. */
  readonly storedLength: number;
}

/** One of {@link Extents}. */
export interface ExtentInfo {
  readonly extent: number;
  /** Bytes that it takes. */
  readonly length: number;
  /**
   * When it was begun, in milliseconds since 1970, where others may be about to write records that lead into
   * it. Default: nobody is.
   */
  readonly begun?: number;
}

/** A chunk and its place in an extent. */
export interface ChunkPlacement {
  readonly digest: B3Digest;
  readonly location: ExtentLocation;
}

/** A chunk that was found in an extent. */
export type FoundChunk = ChunkPlacement;

/**
 * Where the stored forms of chunks lie: long files, objects, or memory. What was appended is never
 * changed, and goes only with the extent as a whole. Each describes itself, so that what lies in them can be
 * found without an index.
 *
 * Every other method fails with CastoreError CLOSED after {@link close}; failures of the surroundings are NO_SPACE
 * and STORAGE_FAILURE.
 */
export interface Extents {
  /**
   * Appends a chunk, and releases it as soon as its memory is not needed any more, also when that fails.
   *
   * @returns its place, when it is as durable as these extents make it
   */
  append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation>;

  /**
   * Looks whether there is something at a place, without reading it.
   *
   * @throws CastoreError CORRUPT when there is not
   */
  check(digest: B3Digest, location: ExtentLocation): Promise<void> | void;

  /**
   * What lies at a place: for those who find out by its digest whether that is the chunk.
   *
   * @throws CastoreError CORRUPT when nothing does
   */
  read(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk>;

  /**
   * The same, and certainly what was appended there for this digest: for those who pass it on as it is.
   *
   * @throws CastoreError CORRUPT when it is not
   */
  readIntact(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk>;

  /**
   * The same for several chunks. Absent where reading them together has no advantage.
   *
   * @param use is given them in the order in which they are asked for, undefined for those that are not intact, or not
   *   there; when it has ended they may hold anything
   * @returns what `use` returns
   */
  readManyIntact?<T>(
    wanted: readonly ChunkPlacement[],
    use: (found: readonly (EncodedChunk | undefined)[]) => Promise<T>,
  ): Promise<T>;

  /**
   * What has to hold for a record to lead into an extent, where others may retire it before that record is written.
   * Default: nothing.
   */
  conditionsOf?(extent: number): Promise<readonly RecordCondition[]>;

  /** What extents there are, in the order of their numbers. */
  list(): AsyncIterable<ExtentInfo>;

  /**
   * The intact chunks of an extent, in the order of their places. Ends where nothing more can be told from
   * noise. An extent that is not there has none.
   */
  chunksOf(extent: number): AsyncIterable<FoundChunk>;

  /**
   * Appends nothing more to an extent: what follows goes into another one. Whoever looks for what is wanted in an
   * extent seals it first.
   */
  seal(extent: number): Promise<void>;

  /**
   * Removes an extent in which nothing is wanted any more; one that is not there is no error. It is sealed with
   * that. Its number is not given again.
   */
  retire(extent: number): Promise<void>;

  /** Why nothing can be appended at present; undefined while that works. Tries to make it possible again. */
  recover(): Promise<CastoreError | undefined>;

  /** Finishes what is being appended and read. Calling it again does nothing. */
  close(): Promise<void>;
}
