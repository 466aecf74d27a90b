import type { RecordChange, RecordStore } from "./record-store.ts";
import { isDamage, type Table, type TableEntry } from "./table.ts";
import { LIST_SEGMENTS, type Numbered, OLD_UPLOADS, STAGED_DIRECTORIES, UPLOADS } from "./tables.ts";
import { isLeased } from "./upload-lease.ts";

/** Records removed with one write, which nothing else gets in between. */
const REMOVED_TOGETHER = 1000;

/** From when on nobody may complete an upload: its records are being removed. */
const GIVEN_UP = 0;

/**
 * Removes what uploads have left behind that did not come to an end: those whose lease has expired, and
 * those of older versions, which had none. Others may be under way, of this process or of others, and
 * others may remove the same. It can end in the middle, and goes on with the next call.
 *
 * @param now in milliseconds since 1970
 */
export async function removeExpiredUploads(records: RecordStore, now: number = Date.now()): Promise<void> {
  for await (const entry of UPLOADS.entries(records)) {
    const [id, expires] = [entry.key(), entry.value()];
    if (expires > now) continue;
    // From here on it cannot be completed. One that was renewed meanwhile goes on.
    if (!(await records.write([UPLOADS.put(id, GIVEN_UP)], [isLeased(id, expires)]))) continue;
    await removeUpload(records, id);
  }
  for await (const entry of OLD_UPLOADS.entries(records)) {
    await removeNumbered(records, LIST_SEGMENTS, entry.key());
    await records.write([entry.remove()]);
  }
  for await (const entry of STAGED_DIRECTORIES.entries(records)) {
    // Written together with their lease, and removed before it: without one they belong to nobody.
    if (!(await isOfUpload(records, entry))) await records.write([entry.remove()]);
  }
}

async function isOfUpload(records: RecordStore, entry: TableEntry<Numbered, unknown>): Promise<boolean> {
  try {
    return await UPLOADS.has(records, entry.key().id);
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
}

/** Removes what an upload has written, and then its lease. */
export async function removeUpload(records: RecordStore, id: Uint8Array): Promise<void> {
  await removeNumbered(records, LIST_SEGMENTS, id);
  await removeNumbered(records, STAGED_DIRECTORIES, id);
  await records.write([UPLOADS.remove(id)]);
}

async function removeNumbered<V>(
  records: RecordStore,
  table: Table<Numbered, V>,
  id: Uint8Array,
): Promise<void> {
  let removals: RecordChange[] = [];
  for await (const entry of table.entries(records, id)) {
    removals.push(entry.remove());
    if (removals.length < REMOVED_TOGETHER) continue;
    await records.write(removals);
    removals = [];
  }
  if (removals.length > 0) await records.write(removals);
}
