import type { ReadChunk } from "../blob/read-chunks.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { digestsSettling } from "../digest/blake3-in-use.ts";
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
 * @param chunks each compared with its digest
 * @param count how many there are
 * @throws CastoreError INVALID_RESPONSE when the list is that of another blob
 */
export async function* listedChunks(
  blob: B3Digest,
  chunks: AsyncIterable<ReadChunk>,
  count: number,
): AsyncGenerator<FetchedChunk, void, undefined> {
  await digestsSettling();
  const hasher = B3Digest.createHasher();
  let position = 0;
  for await (const { chunk, bytes } of chunks) {
    position++;
    hasher.update(bytes);
    const isLast = position === count;
    if (isLast && !B3Digest.finish(hasher).equals(blob)) {
      const subject = blob.toString();
      throw new CastoreError("INVALID_RESPONSE", `${subject}: the chunks that are listed make another blob`, {
        subject,
      });
    }
    yield { digest: chunk.digest, bytes, isLast };
  }
}
