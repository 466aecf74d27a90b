import type { ChunkEncoding, EncodedChunk } from "../chunks/chunk-codec.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { ChunkMeta } from "./blob-service.ts";

/** How a chunk is stored. */
export interface StoredChunk extends ChunkMeta {
  readonly encoding: ChunkEncoding;
  /** Length of the stored form, in bytes. */
  readonly storedLength: number;
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
}

/** Chunks in the form in which they are stored. */
export interface StoredChunkStore {
  /** As {@link StoredBlobs.version}. */
  readonly version: number;
  /** How a chunk is stored; undefined when it is not there, or known to be damaged. */
  describe(digest: B3Digest): Promise<StoredChunk | undefined>;
  /** @throws as {@link StoredBlobs.readStored} */
  readStored(chunk: StoredChunk): Promise<EncodedChunk>;
}
