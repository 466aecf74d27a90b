import type { RecordChange, RecordStore } from "@tvix/castore";
import { CHUNKS, encodeLocation } from "@tvix/castore/backend";
import type { PackDirectory } from "./pack-directory.ts";
import { scanPack } from "./scan-pack.ts";

/** Chunks that one batch indexes. */
const BATCH_CHUNKS = 4096;

/**
 * Indexes every chunk found in the packs: for a store whose database was lost. Chunk lists
 * and directories are not in packs, so blobs of several chunks come back with the next put.
 * It may be interrupted, and then begins anew.
 *
 * @returns how many chunks were found
 */
export async function rebuildIndex(
  packs: PackDirectory,
  packNumbers: readonly number[],
  records: RecordStore,
): Promise<number> {
  let chunks = 0;
  for (const pack of packNumbers) {
    const handle = await packs.openPack(pack, "r");
    try {
      let batch: RecordChange[] = [];
      for await (const { head, offset } of scanPack(handle, 0)) {
        const { digest, encoding, size, storedLength } = head;
        const value = encodeLocation({ pack, offset, encoding, size, storedLength });
        chunks++;
        batch.push(CHUNKS.put(digest, value));
        if (batch.length < BATCH_CHUNKS) continue;
        await records.write(batch);
        batch = [];
      }
      if (batch.length > 0) await records.write(batch);
    } finally {
      await handle.close();
    }
  }
  return chunks;
}
