import type { StoredChunk } from "../blob/stored-blobs.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { ChunkPlacement, Extents } from "../extents/extents.ts";
import type { ChunkCodec, EncodedChunk } from "./chunk-codec.ts";
import { decodeChunkRecord } from "./chunk-record.ts";
import { decodeVerifiedInto, writeTo } from "./verify-chunk.ts";

/** A chunk that lies in an extent. */
interface PlacedChunk extends ChunkPlacement {
  readonly chunk: StoredChunk;
}

/** What {@link readManyStored} reads with. */
export interface ReadStoredParts {
  readonly extents: Extents | undefined;
  /** Reads one that is not where it was described, or not in extents. */
  readonly readStored: (chunk: StoredChunk) => Promise<EncodedChunk> | EncodedChunk;
  /** Called for one that is not where it was described. */
  readonly onMoved: (() => void) | undefined;
}

/** What {@link readManyInto} reads with. */
export interface ReadManyParts extends ReadStoredParts {
  readonly codec: ChunkCodec;
  /** Reads one that does not prove right, by itself: there it is noted what is wrong with it. */
  readonly readAgain: (digest: B3Digest) => Promise<Uint8Array>;
}

/**
 * The stored forms of several chunks, read together where extents can do that.
 *
 * @param use what is done with them; when it has ended they may hold anything
 */
export async function readManyStored<T>(
  chunks: readonly StoredChunk[],
  { extents, readStored, onMoved }: ReadStoredParts,
  use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
): Promise<T> {
  if (extents?.readManyIntact === undefined) return await use(await Promise.all(chunks.map(readStored)));
  const placed = chunks.flatMap((chunk): PlacedChunk[] => {
    const location = decodeChunkRecord(chunk.record, chunk.digest);
    return "payload" in location ? [] : [{ chunk, digest: chunk.digest, location }];
  });
  return await extents.readManyIntact(placed, async (read) => {
    const found = new Map<StoredChunk, EncodedChunk>();
    for (const [index, stored] of read.entries()) {
      if (stored === undefined) onMoved?.();
      else found.set((placed[index] as PlacedChunk).chunk, stored);
    }
    return await use(await Promise.all(chunks.map((chunk) => found.get(chunk) ?? readStored(chunk))));
  });
}

/**
 * Several chunks, each checked against its digest, and written to its place. When this has ended nothing is written any
 * more, also when it has failed.
 *
 * @param places of the chunks, each as long as its chunk
 */
export async function readManyInto(
  chunks: readonly StoredChunk[],
  places: readonly Uint8Array[],
  parts: ReadManyParts,
): Promise<void> {
  const { codec, readStored, readAgain } = parts;
  const decode = async ({ digest }: StoredChunk, stored: EncodedChunk, place: Uint8Array) => {
    try {
      await decodeVerifiedInto(place, codec, digest, stored);
    } catch {
      writeTo(place, digest, await readAgain(digest));
    }
  };
  // What lies in a record is checked when it is decoded here, not twice.
  const readOne = (chunk: StoredChunk) => {
    const place = decodeChunkRecord(chunk.record, chunk.digest);
    return "payload" in place ? place : readStored(chunk);
  };
  await readManyStored(chunks, { ...parts, readStored: readOne }, (stored) =>
    allOf(
      chunks.map((chunk, index) => decode(chunk, stored[index] as EncodedChunk, places[index] as Uint8Array)),
    ),
  );
}

/** The same as `Promise.all`, but ends with the last of them, also when one fails: they still look at memory that is lent. */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(promises);
  await Promise.all(promises);
}
