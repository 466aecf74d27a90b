import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";

/**
 * The error for a chunk that is not where it should be.
 *
 * @param fault what is wrong with what it lies in, such as `pack is missing`
 */
export function unreadableChunk(digest: B3Digest, fault: string, cause?: unknown): CastoreError {
  return new CastoreError("CORRUPT", `chunk ${digest} cannot be read: its ${fault}`, {
    cause,
    subject: digest.toString(),
  });
}
