import { inBatches } from "../concurrency/in-batches.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { removeExpiredUploads } from "../records/remove-expired.ts";
import type { TableEntry } from "../records/table.ts";
import { CHUNK_LISTS, CONDEMNED, type Content, DAMAGED_CHUNKS, UPLOADS } from "../records/tables.ts";
import type { Collector } from "./collector.ts";
import { recordKeyOf } from "./fence.ts";
import type { LiveSet } from "./live-set.ts";
import { ContentCounter, type ContentCounts } from "./sizes.ts";

/** Marks that are looked at together. */
const BATCH = 125;

/**
 * Removes what is condemned and was not reached by a second look either, and takes the marks off the rest. What
 * somebody has claimed or stored anew since it was condemned stays: each is removed on condition that record and mark
 * are as they were found.
 */
export async function sweep(
  collector: Collector,
  records: RecordStore,
  live: LiveSet,
  options: OperationOptions = {},
): Promise<ContentCounts> {
  const counts = new ContentCounter();
  for await (const batch of inBatches(CONDEMNED.entries(records, undefined, options), BATCH)) {
    const marked = batch.flatMap((entry) => {
      const content = entry.findKey();
      return content === undefined ? [] : [{ content, entry }];
    });
    await sweepBatch(collector, records, live, marked, counts);
  }
  // The parts of lists, which nobody can reach any more.
  await removeExpiredUploads(records);
  return counts;
}

/** Content that is condemned. */
interface Marked {
  readonly content: Content;
  readonly entry: TableEntry<Content, number>;
}

async function sweepBatch(
  collector: Collector,
  records: RecordStore,
  live: LiveSet,
  batch: readonly Marked[],
  counts: ContentCounter,
): Promise<void> {
  const isLive = await live.hasMany(batch.map(({ content }) => content));
  await collector.write(
    batch.filter((_, index) => isLive[index] === true).map(({ entry }) => entry.remove()),
  );
  const dead = batch.filter((_, index) => isLive[index] === false);
  const found = await records.getMany(dead.map(({ content }) => recordKeyOf(content)));
  const removals = dead.map((one, index) => removalOf(one, found[index]));
  const together = await collector.write(
    removals.flatMap(({ changes }) => changes),
    removals.flatMap(({ conditions }) => conditions),
  );
  for (const [index, { changes, conditions }] of removals.entries()) {
    // Somebody has claimed one of them: each is looked at by itself.
    const isRemoved = together || (await collector.write(changes, conditions));
    const record = found[index];
    if (isRemoved && record !== undefined) counts.add((dead[index] as Marked).content, record);
  }
}

/** What removes something, and only as it was found. */
function removalOf(
  { content, entry }: Marked,
  record: Uint8Array | undefined,
): { readonly changes: readonly RecordChange[]; readonly conditions: readonly RecordCondition[] } {
  const key = recordKeyOf(content);
  return {
    changes: [{ type: "del", key }, entry.remove(), ...alongWith(content, record)],
    conditions: [{ key, value: record }, entry.isUnchanged()],
  };
}

/** What goes with it: what is known of its damage, the segments of a list. */
function alongWith({ kind, digest }: Content, record: Uint8Array | undefined): readonly RecordChange[] {
  if (kind === "chunk") return [DAMAGED_CHUNKS.remove(digest)];
  return kind === "blob" && record !== undefined ? segmentsOf(digest, record) : [];
}

/** What has the segments of a list removed: from then on they are those of an upload that nobody completes. */
export function segmentsOf(blob: B3Digest, record: Uint8Array): readonly RecordChange[] {
  const list = CHUNK_LISTS.decode(blob, record);
  return list === undefined || list.segmentOffsets.length === 0 ? [] : [UPLOADS.put(list.listId.slice(), 0)];
}
