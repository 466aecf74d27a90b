import { inBatches } from "../concurrency/in-batches.ts";
import { type B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import type { TableEntry } from "../records/table.ts";
import { CHUNK_LISTS, CONDEMNED, type Content, DIRECTORIES } from "../records/tables.ts";
import type { LiveSet } from "./live-set.ts";
import type { Marker } from "./marker.ts";

/** Contents that are looked at together. */
const BATCH = 500;

/**
 * Marks directories and blobs that were stored or claimed since the first look, with all that is below them: somebody
 * may be about to refer to them. So what stays is always whole.
 */
export async function markUncondemned(
  records: RecordStore,
  live: LiveSet,
  marker: Marker,
  options: OperationOptions = {},
): Promise<void> {
  const tables = [
    ["directory", DIRECTORIES],
    ["blob", CHUNK_LISTS],
  ] as const;
  for (const [kind, table] of tables) {
    for await (const entries of inBatches<TableEntry<B3Digest, unknown>>(
      table.entries(records, undefined, options),
      BATCH,
    )) {
      const digests = entries.map((entry) => entry.findKey()).filter((digest) => digest !== undefined);
      await markFresh(
        records,
        live,
        marker,
        digests.map((digest) => ({ kind, digest })),
      );
    }
  }
}

async function markFresh(
  records: RecordStore,
  live: LiveSet,
  marker: Marker,
  batch: readonly Content[],
): Promise<void> {
  const isReached = await live.hasMany(batch);
  const others = batch.filter((_, index) => isReached[index] === false);
  const marks = await records.getMany(others.map((content) => CONDEMNED.keyOf(content)));
  for (const [index, { kind, digest }] of others.entries()) {
    if (marks[index] !== undefined || digest.equals(EMPTY_DIGEST)) continue;
    if (kind === "blob") await marker.blobs([digest]);
    else await marker.node({ type: "directory", digest, size: 0n });
  }
}
