import { decodeChunkRecord } from "../chunks/chunk-record.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS, CHUNKS, DAMAGED_CHUNKS, DIRECTORIES } from "../records/tables.ts";

/** What a store has of contents. */
export interface ContentStats {
  readonly directories: number;
  /** Blobs of several chunks. */
  readonly blobs: number;
  readonly chunks: number;
  /** Chunks that are known to be damaged. */
  readonly damaged: number;
  /** Of all chunks, as they are. */
  readonly chunkBytes: number;
  /** Of all chunks, as they are stored. */
  readonly storedBytes: number;
}

/** Counts contents, by looking at every record. */
export async function measureContents(
  records: RecordStore,
  options: OperationOptions = {},
): Promise<ContentStats> {
  let [chunks, chunkBytes, storedBytes] = [0, 0, 0];
  for await (const entry of CHUNKS.entries(records, undefined, options)) {
    const digest = entry.findKey();
    const sizes = digest && sizesOf(digest, entry.value());
    if (sizes === undefined) continue;
    chunks++;
    chunkBytes += sizes.size;
    storedBytes += sizes.stored;
  }
  return {
    chunks,
    chunkBytes,
    storedBytes,
    directories: await DIRECTORIES.count(records, options),
    blobs: await CHUNK_LISTS.count(records, options),
    damaged: await DAMAGED_CHUNKS.count(records, options),
  };
}

/** Undefined for a damaged record. */
function sizesOf(
  digest: B3Digest,
  record: Uint8Array,
): { readonly size: number; readonly stored: number } | undefined {
  try {
    const place = decodeChunkRecord(record, digest);
    return { size: place.size, stored: "payload" in place ? place.payload.length : place.storedLength };
  } catch {
    return undefined;
  }
}
