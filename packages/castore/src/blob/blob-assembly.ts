import type { B3Digest } from "../digest/b3-digest.ts";
import type { BlobService } from "./blob-service.ts";

/**
 * Puts a blob together of chunks that somebody else has cut and compared with their digests: what is
 * there of them is not written again. Calls follow one another.
 */
export interface BlobAssembly {
  /**
   * Takes the next chunk. Waits for storage now and then, so that memory stays flat; the bytes are read
   * until {@link commit} or {@link abort} has returned.
   */
  add(digest: B3Digest, bytes: Uint8Array): Promise<void>;
  /**
   * Makes the blob of what was taken; returns when all of it is durable.
   *
   * @param digest of the whole, which the caller has compared
   */
  commit(digest: B3Digest): Promise<void>;
  /** Gives it up. The chunks stay: who brings the blob again need not write them. */
  abort(): Promise<void>;
}

/** Blobs that can be stored chunk by chunk. */
export interface AssemblingBlobService extends BlobService {
  /** Starts a blob; {@link BlobAssembly.commit} or {@link BlobAssembly.abort} ends it. */
  assemble(): BlobAssembly;
}

/** Whether blobs can be stored there chunk by chunk. */
export function canAssemble(service: BlobService): service is AssemblingBlobService {
  return "assemble" in service;
}
