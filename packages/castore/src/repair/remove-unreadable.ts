import { segmentsOf } from "../collect/sweep.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS, type Content, DIRECTORIES } from "../records/tables.ts";
import { BlobCheck } from "../verify/blob-check.ts";
import { checkDirectory, isFault } from "../verify/verify-contents.ts";

/**
 * Removes what cannot be read, so that it counts as absent, and is stored by whoever has it: a directory that is damaged or
 * lacks one below it, the list of a blob of which a part is missing.
 *
 * @returns whether something was removed
 */
export async function removeUnreadable(
  records: RecordStore,
  { kind, digest }: Content,
  options: OperationOptions = {},
): Promise<boolean> {
  options.signal?.throwIfAborted();
  const table = kind === "directory" ? DIRECTORIES : CHUNK_LISTS;
  const key = table.keyOf(digest);
  const value = await records.get(key);
  if (value === undefined) return false;
  try {
    if (kind === "directory") await checkDirectory(records, digest);
    else await new BlobCheck(records).list(digest);
    return false;
  } catch (error) {
    if (!isFault(error)) throw error;
  }
  const segments = kind === "directory" ? [] : segmentsOf(digest, value);
  return await records.write([{ type: "del", key }, ...segments], [{ key, value }]);
}

/** Removes the directories that lack one below them, and then those that lack these. @returns how many */
export async function removeIncompleteDirectories(
  records: RecordStore,
  options: OperationOptions = {},
): Promise<number> {
  let removed = 0;
  for (let before = -1; removed > before; ) {
    before = removed;
    for await (const entry of DIRECTORIES.entries(records, undefined, options)) {
      const digest = entry.findKey();
      if (digest !== undefined && (await removeUnreadable(records, { kind: "directory", digest }, options)))
        removed++;
    }
  }
  return removed;
}
