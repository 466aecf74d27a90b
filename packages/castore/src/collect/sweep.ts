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
const BATCH = 500;

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
  let batch: Marked[] = [];
  const finish = async () => {
    await sweepBatch(collector, records, live, batch, counts);
    batch = [];
  };
  for await (const entry of CONDEMNED.entries(records, undefined, options)) {
    const content = entry.findKey();
    if (content !== undefined) batch.push({ content, entry });
    if (batch.length >= BATCH) await finish();
  }
  await finish();
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
  if (batch.length === 0) return;
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

/** What goes with it: what is known of its damage; the segments of a list, which are those of an upload nobody completes. */
function alongWith({ kind, digest }: Content, record: Uint8Array | undefined): readonly RecordChange[] {
  if (kind === "chunk") return [DAMAGED_CHUNKS.remove(digest)];
  if (kind !== "blob" || record === undefined) return [];
  const listId = CHUNK_LISTS.decode(digest, record)?.listId;
  return listId === undefined ? [] : [UPLOADS.put(listId.slice(), 0)];
}
