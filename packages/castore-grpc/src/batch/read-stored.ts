import {
  type B3Digest,
  type HeldMemory,
  mapConcurrently,
  type OperationOptions,
  type StoredBlobs,
  type StoredChunk,
} from "@tvix/castore";
import { MAX_ANSWER_BYTES, MAX_BATCHED_BLOB_BYTES } from "./limits.ts";

/** Blobs that are looked up at the same time. */
const LOOK_UPS = 64;

/**
 * The contents of those of some blobs that are one short chunk, as far as an answer has room: what lies close together
 * is read at once.
 *
 * @param held grows by what is read
 * @throws as {@link StoredBlobs.readMany}, for all of them when one is damaged
 */
export async function readStored(
  digests: readonly B3Digest[],
  storedBlobs: StoredBlobs,
  held: HeldMemory,
  options: OperationOptions,
): Promise<Uint8Array[]> {
  const chunks: StoredChunk[] = [];
  let length = 0;
  const described = mapConcurrently(digests, LOOK_UPS, (digest) => onlyChunk(digest, storedBlobs, options));
  for await (const chunk of described) {
    if (chunk === undefined) continue;
    length += chunk.size;
    if (length > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  await held.grow(
    chunks.reduce((sum, { size }) => sum + size, 0),
    options,
  );
  return [...(await storedBlobs.readMany(chunks, options))];
}

/** The chunk that is a whole blob; undefined where there is none, or a long one. */
async function onlyChunk(
  digest: B3Digest,
  storedBlobs: StoredBlobs,
  options: OperationOptions,
): Promise<StoredChunk | undefined> {
  for await (const chunk of (await storedBlobs.storedChunks(digest, options)) ?? []) {
    return chunk.digest.equals(digest) && chunk.size <= MAX_BATCHED_BLOB_BYTES ? chunk : undefined;
  }
  return undefined;
}
