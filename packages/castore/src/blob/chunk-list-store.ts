import type { B3Digest } from "../digest/b3-digest.ts";
import type { ChunkMeta } from "./blob-service.ts";

/** A chunk with the place of its first byte in the blob. */
export interface PlacedChunk extends ChunkMeta {
  readonly offset: number;
}

/** Writes one chunk list, which becomes visible at once with `commit`. */
export interface ChunkListWriter {
  /** Adds the next chunk. Waits for storage now and then, so that memory stays flat. */
  append(chunk: ChunkMeta): Promise<void>;
  /** Makes the list that of this blob; returns when it is durable. */
  commit(blob: B3Digest): Promise<void>;
  /** Forgets what was appended. */
  abort(): Promise<void>;
}

/** Keeps the chunk list of each blob that consists of more than one chunk. */
export interface ChunkListStore {
  /** Number of chunks of a blob, undefined when there is no list for it. */
  count(blob: B3Digest): Promise<number | undefined>;
  /** Whether a blob has a list on which somebody is going to rely: what is condemned of it is taken back. */
  claim(blob: B3Digest): Promise<boolean>;
  /**
   * The chunks from the one that holds the byte at `offset` on.
   *
   * @throws CastoreError INCOMPLETE when the list, or a part of it, is not there: it may go after it was counted; CORRUPT when
   *   it cannot be read
   */
  read(blob: B3Digest, offset: number): AsyncIterable<PlacedChunk>;
  /** Starts a list. */
  write(): ChunkListWriter;
}
