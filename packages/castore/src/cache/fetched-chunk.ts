import type { ByteStream } from "@tvix/byte-stream";
import type { ChunkMeta } from "../blob/blob-service.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";

/** The next chunk of a blob that is fetched. */
export interface FetchedChunk {
  readonly digest: B3Digest;
  /** Compared with the digest. Nobody changes them. */
  readonly bytes: Uint8Array;
  /** Whether it is the last one; then the whole has been compared with its digest as well. */
  readonly isLast: boolean;
}

/**
 * The chunks of a list that somebody has given, which is not believed: the whole is compared before its
 * last chunk is passed on.
 *
 * @param pieces their bytes, each compared with its digest
 * @throws CastoreError INVALID_RESPONSE when the list is that of another blob
 */
export async function* listedChunks(
  blob: B3Digest,
  chunks: readonly ChunkMeta[],
  pieces: ByteStream,
): AsyncGenerator<FetchedChunk, void, undefined> {
  const hasher = B3Digest.createHasher();
  let position = 0;
  for await (const bytes of pieces) {
    const chunk = chunks[position++];
    if (chunk === undefined) throw new Error("there are as many pieces as chunks");
    hasher.update(bytes);
    const isLast = position === chunks.length;
    if (isLast && !B3Digest.finish(hasher).equals(blob)) {
      const subject = blob.toString();
      throw new CastoreError("INVALID_RESPONSE", `${subject}: the chunks that are listed make another blob`, {
        subject,
      });
    }
    yield { digest: chunk.digest, bytes, isLast };
  }
}
