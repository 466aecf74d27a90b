import type { B3Digest } from "../digest/b3-digest.ts";

/**
 * Chunks named by their BLAKE3 digest: the seam between blobs and where their bytes lie.
 *
 * Chunks are at most a few hundred KiB, so they are passed whole.
 */
export interface ChunkStore {
  /** Whether a chunk is there and not known to be damaged. */
  has(digest: B3Digest): Promise<boolean>;

  /**
   * The bytes of a chunk, checked against the digest; undefined when it is not there.
   *
   * @throws CastoreError CORRUPT when what is stored has another digest, or cannot be
   *   decoded. The chunk then counts as absent, so that writing it again mends the store.
   */
  read(digest: B3Digest): Promise<Uint8Array | undefined>;

  /**
   * Stores the bytes of this digest, which the caller has computed; returns when they are
   * durable. The caller does not write a chunk that is there, nor one twice at once.
   *
   * @param release called as soon as the bytes are not needed any more, if that is before
   *   they are durable
   */
  write(digest: B3Digest, bytes: Uint8Array, release?: () => void): Promise<void>;
}
