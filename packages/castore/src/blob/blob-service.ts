import type { ByteSource, ByteStream } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";

/** A piece of a blob that can be read by its own digest. */
export interface ChunkMeta {
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: number;
}

/** Which part of a blob to read. */
export interface ReadBlobOptions extends OperationOptions {
  /** First byte, from 0. Default 0; beyond the end there is nothing to read. */
  readonly offset?: number;
  /** Most bytes to read. Default: to the end. */
  readonly length?: number;
  /**
   * What the caller takes the length of the blob to be, or to be at the most, in bytes: many short ones may be asked
   * for together. Nothing else depends on it.
   */
  readonly sizeHint?: number;
  /** Whether the caller accounts for the memory of what it reads, so that the service need not. Default false. */
  readonly isAccounted?: boolean;
}

/**
 * Byte strings named by their BLAKE3 digest.
 *
 * Blobs are immutable, so calls may overlap freely: many puts of one blob store it once.
 * The empty blob is always there. Every error is a CastoreError, or the reason of an
 * aborted signal.
 */
export interface BlobService {
  /** Whether a blob, or a chunk of one, is there. */
  has(digest: B3Digest, options?: OperationOptions): Promise<boolean>;

  /**
   * The bytes of a blob or a chunk, in pieces of any length; undefined when it is not
   * there. No byte is passed on that does not belong to the digest: a damaged store fails
   * with CORRUPT or INCOMPLETE, before the first byte where the metadata can tell.
   *
   * The stream reads ahead a little; leaving it early frees what it holds. Pieces are to be looked at only:
   * other readers may be given the same memory.
   *
   * @throws RangeError when offset or length is no whole number from 0 on
   */
  read(digest: B3Digest, options?: ReadBlobOptions): Promise<ByteStream | undefined>;

  /**
   * Stores the bytes and returns their digest. On return the blob is there for every
   * reader and as durable as the service promises; on failure it is not there.
   *
   * Memory does not grow with the length. A piece has been used when the next one is asked
   * for, and its memory may then be used again; one piece given as it is, when put returns.
   */
  put(source: ByteSource, options?: OperationOptions): Promise<B3Digest>;

  /**
   * The chunks a blob consists of, in order; empty when there is no finer division, or one
   * too long to list (of more than 100,000 chunks); undefined when the blob is not there.
   */
  chunks(digest: B3Digest, options?: OperationOptions): Promise<readonly ChunkMeta[] | undefined>;
}

/**
 * Most chunks that are listed for one blob: as many as fit a message of 4 MiB, which peers
 * take at the most. At 256 KiB a chunk that is a blob of some 24 GiB.
 */
export const MAX_LISTED_CHUNKS = 100_000;
