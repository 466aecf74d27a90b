import { LIST_ID_BYTES } from "../records/chunk-list-codec.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { LIST_SEGMENTS, UPLOADS } from "../records/tables.ts";

const SEGMENTS = new TextEncoder().encode(LIST_SEGMENTS.declaration.prefix);

/**
 * Removes a record that is of no use, if it still is as it was found. One of the segments of a chunk list goes with all of
 * them, as those of an upload that has expired.
 *
 * @returns whether it was as it was found
 */
export async function removeRecord(records: RecordStore, record: RecordCondition): Promise<boolean> {
  return await records.write([removalOf(record.key)], [record]);
}

function removalOf(key: Uint8Array): RecordChange {
  const isSegment = SEGMENTS.every((byte, index) => key[index] === byte);
  if (!isSegment) return { type: "del", key };
  return UPLOADS.put(key.slice(SEGMENTS.length, SEGMENTS.length + LIST_ID_BYTES), 0);
}
