import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import type { Extents, FoundChunk } from "../extents/extents.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNKS } from "../records/tables.ts";
import { encodeLocation } from "./chunk-record.ts";
import type { DamagedChunks } from "./damaged-chunks.ts";

/** Chunks that are looked up at the same time. */
const AT_ONCE = 16;

/**
 * Searches extents for chunks that have no record, or one that leads to damage, and records where they are. Others may
 * read and write meanwhile; a chunk that a collection has removed comes back, until the next.
 *
 * @returns how many were found
 */
export async function findLostChunks(
  extents: Extents,
  records: RecordStore,
  damaged: DamagedChunks,
  options: OperationOptions = {},
): Promise<number> {
  let found = 0;
  const note = async ({ digest, location }: FoundChunk): Promise<boolean> => {
    const key = CHUNKS.keyOf(digest);
    const record = await records.get(key);
    if (record !== undefined && !damaged.has(digest)) return false;
    const changes = [CHUNKS.put(digest, encodeLocation(location)), ...damaged.mending(digest)];
    const conditions = (await extents.conditionsOf?.(location.extent)) ?? [];
    const isNew = await records.write(changes, [{ key, value: record }, ...conditions]);
    if (isNew) damaged.remove(digest);
    return isNew;
  };
  for await (const { extent } of extents.list()) {
    for await (const isNew of mapConcurrently(extents.chunksOf(extent), AT_ONCE, note)) {
      options.signal?.throwIfAborted();
      if (isNew) found++;
    }
  }
  return found;
}
