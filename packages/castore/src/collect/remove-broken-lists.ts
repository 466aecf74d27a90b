import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS } from "../records/tables.ts";
import { BlobCheck } from "../verify/blob-check.ts";
import type { Collector } from "./collector.ts";
import { segmentsOf } from "./sweep.ts";

/**
 * Removes the lists of blobs that nothing reaches and that have lost a chunk to others: a list that is there stands for
 * all of its chunks.
 */
export async function removeBrokenLists(
  collector: Collector,
  records: RecordStore,
  options: OperationOptions = {},
): Promise<void> {
  const check = new BlobCheck(records);
  for await (const entry of CHUNK_LISTS.entries(records, undefined, options)) {
    const digest = entry.findKey();
    const { value } = entry.isUnchanged();
    if (digest === undefined || value === undefined) continue;
    try {
      await check.list(digest);
    } catch (error) {
      if (!CastoreError.is(error) || error.code !== "INCOMPLETE") throw error;
      await collector.write([entry.remove(), ...segmentsOf(digest, value)], [entry.isUnchanged()]);
    }
  }
}
