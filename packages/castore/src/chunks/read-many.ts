import { copyBytes } from "@tvix/byte-stream";
import type { StoredChunk } from "../blob/stored-blobs.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { ChunkPlacement, Extents } from "../extents/extents.ts";
import type { ChunkCodec, EncodedChunk } from "./chunk-codec.ts";
import { decodeChunkRecord } from "./chunk-record.ts";
import { decodeVerified } from "./verify-chunk.ts";

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
  readOne: (chunk: StoredChunk) => Promise<EncodedChunk> | EncodedChunk,
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

/** What {@link readMany} reads with. */
export interface ReadManyParts {
  readonly extents: Extents | undefined;
  readonly codec: ChunkCodec;
  /** Reads one that is not where it was described. */
  readonly readStored: (chunk: StoredChunk) => Promise<EncodedChunk>;
  /** Reads one that does not prove right, by itself: there it is noted what is wrong with it. */
  readonly readAgain: (digest: B3Digest) => Promise<Uint8Array>;
}

/** Several chunks, each checked against its digest, and in memory of its own. */
export async function readMany(
  chunks: readonly StoredChunk[],
  { extents, codec, readStored, readAgain }: ReadManyParts,
): Promise<readonly Uint8Array[]> {
  const decode = async ({ digest }: StoredChunk, stored: EncodedChunk) => {
    try {
      const bytes = await decodeVerified(codec, digest, stored);
      // What is not compressed may be the very memory that is read into next.
      return bytes.buffer === stored.payload.buffer ? copyBytes(bytes) : bytes;
    } catch {
      return await readAgain(digest);
    }
  };
  // What lies in a record is checked when it is decoded here, not twice.
  const readOne = (chunk: StoredChunk) => {
    const place = decodeChunkRecord(chunk.record, chunk.digest);
    return "payload" in place ? place : readStored(chunk);
  };
  return await readManyStored(chunks, extents, readOne, (stored) =>
    Promise.all(chunks.map((chunk, index) => decode(chunk, stored[index] as EncodedChunk))),
  );
}
