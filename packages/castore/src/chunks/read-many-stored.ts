import type { StoredChunk } from "../blob/stored-blobs.ts";
import type { ChunkPlacement, Extents } from "../extents/extents.ts";
import type { EncodedChunk } from "./chunk-codec.ts";
import { decodeChunkRecord } from "./chunk-record.ts";

/** A chunk that lies in an extent. */
interface PlacedChunk extends ChunkPlacement {
  readonly chunk: StoredChunk;
}

/**
 * The stored forms of several chunks, read together where extents can do that.
 *
 * @param readOne reads those that are not where they were described, or not in extents
 * @param use what is done with them; when it has ended they may hold anything
 */
export async function readManyStored<T>(
  chunks: readonly StoredChunk[],
  extents: Extents | undefined,
  readOne: (chunk: StoredChunk) => Promise<EncodedChunk>,
  use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
): Promise<T> {
  const useAll = async (found?: ReadonlyMap<StoredChunk, EncodedChunk>) =>
    await use(await Promise.all(chunks.map((chunk) => found?.get(chunk) ?? readOne(chunk))));
  if (extents?.readManyIntact === undefined) return await useAll();
  const placed = chunks.flatMap((chunk): PlacedChunk[] => {
    const location = decodeChunkRecord(chunk.record, chunk.digest);
    return "payload" in location ? [] : [{ chunk, digest: chunk.digest, location }];
  });
  return await extents.readManyIntact(placed, async (read) => {
    const found = new Map<StoredChunk, EncodedChunk>();
    for (const [index, stored] of read.entries()) {
      if (stored !== undefined) found.set((placed[index] as PlacedChunk).chunk, stored);
    }
    return await useAll(found);
  });
}
