import type { ChunkEncoding, EncodedChunk } from "../chunks/chunk-codec.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { ChunkMeta } from "./blob-service.ts";

/** Options of reading several chunks. */
export interface ReadManyOptions extends OperationOptions {
  /** Called for a chunk that was not where it was described, and had to be looked up. Default: nobody is told. */
  readonly onMoved?: (() => void) | undefined;
}

/** How a chunk is stored. */
export interface StoredChunk extends ChunkMeta {
  readonly encoding: ChunkEncoding;
  /** Length of the stored form, in bytes. */
  readonly storedLength: number;
  /** Where it lies, in the words of the store that has described it: for {@link StoredBlobs.chunkAt}. */
  readonly record: Uint8Array;
}

/**
 * Blobs in the form in which they are stored, for those who pass it on as it is: a zstd frame
 * of a chunk is a part of a zstd stream.
 */
export interface StoredBlobs {
  /**
   * As long as it stays the same, whatever was said of how blobs are stored goes on to be so, for
   * all that this process knows: it changes when a chunk is found damaged, or is stored anew.
   */
  readonly version: number;

  /**
   * How the chunks of a blob are stored, in order; undefined when the blob is not there.
   * Nothing but the index is read.
   *
   * @throws CastoreError INCOMPLETE when a chunk is not there, CORRUPT when the index is damaged
   */
  storedChunks(digest: B3Digest, options?: OperationOptions): Promise<AsyncIterable<StoredChunk> | undefined>;

  /**
   * The stored form of a chunk as {@link storedChunks} has described it, checked to be what was
   * once stored under its digest.
   *
   * @throws CastoreError INCOMPLETE when it is not there, CORRUPT when it is damaged
   */
  readStored(chunk: StoredChunk, options?: OperationOptions): Promise<EncodedChunk>;

  /**
   * A chunk as it was described once, of its digest and its `record`, for those who keep these. Nothing is looked up.
   *
   * @throws CastoreError CORRUPT for what no store has described
   */
  chunkAt(digest: B3Digest, record: Uint8Array): StoredChunk;

  /**
   * The stored forms of several chunks, in the order of these, each as by {@link readStored}: what lies close together
   * is read at once. They are held in memory together, which is used again afterwards.
   *
   * @param use what is done with them; when it has ended they may hold anything
   * @returns what `use` returns
   * @throws as {@link readStored}, and what `use` throws
   */
  readManyStored<T>(
    chunks: readonly StoredChunk[],
    use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
    options?: ReadManyOptions,
  ): Promise<T>;

  /**
   * The same chunks themselves, each checked against its digest, and in memory of its own.
   *
   * @throws as {@link readStored}
   */
  readMany(chunks: readonly StoredChunk[], options?: ReadManyOptions): Promise<readonly Uint8Array[]>;

  /**
   * The same, each chunk written to a place of the caller's. When this has ended nothing is written any more, also when
   * it has failed; then the places may hold anything.
   *
   * @param places of the chunks, each as long as its chunk
   * @throws as {@link readStored}; CastoreError CORRUPT for a chunk that is not as long as its place
   */
  readManyInto(
    chunks: readonly StoredChunk[],
    places: readonly Uint8Array[],
    options?: ReadManyOptions,
  ): Promise<void>;
}

/** Chunks in the form in which they are stored. */
export interface StoredChunkStore {
  /** As {@link StoredBlobs.version}. */
  readonly version: number;
  /** How a chunk is stored; undefined when it is not there, or known to be damaged. */
  describe(digest: B3Digest): Promise<StoredChunk | undefined>;
  /** @throws as {@link StoredBlobs.readStored} */
  readStored(chunk: StoredChunk): Promise<EncodedChunk>;
  /** As {@link StoredBlobs.chunkAt}. */
  chunkAt(digest: B3Digest, record: Uint8Array): StoredChunk;
  /** As {@link StoredBlobs.readManyStored}. */
  readManyStored<T>(
    chunks: readonly StoredChunk[],
    use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
    onMoved?: () => void,
  ): Promise<T>;
  /** As {@link StoredBlobs.readManyInto}. */
  readManyInto(
    chunks: readonly StoredChunk[],
    places: readonly Uint8Array[],
    onMoved?: () => void,
  ): Promise<void>;
}
