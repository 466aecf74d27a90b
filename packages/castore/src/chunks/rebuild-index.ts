import type { Extents } from "../extents/extents.ts";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { CHUNKS } from "../records/tables.ts";
import { encodeLocation } from "./chunk-record.ts";

/** Chunks that one batch indexes. */
const BATCH_CHUNKS = 4096;

/**
 * Indexes every chunk found in extents: for a store whose records were lost. Chunk lists
 * and directories are not in extents, so blobs of several chunks come back with the next put.
 * It may be interrupted, and then begins anew.
 *
 * @returns how many chunks were found
 */
export async function rebuildChunkIndex(extents: Extents, records: RecordStore): Promise<number> {
  let chunks = 0;
  for await (const { extent } of extents.list()) {
    let batch: RecordChange[] = [];
    for await (const { digest, location } of extents.chunksOf(extent)) {
      chunks++;
      batch.push(CHUNKS.put(digest, encodeLocation(location)));
      if (batch.length < BATCH_CHUNKS) continue;
      await records.write(batch);
      batch = [];
    }
    if (batch.length > 0) await records.write(batch);
  }
  return chunks;
}
