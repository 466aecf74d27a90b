import { CastoreError, type RecordChange, type RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";

/** Version of the layout of folder, packs, journal and keys; see docs/storage-format.md. */
const FORMAT_VERSION = "2";

/** That of stores without a journal. */
const WITHOUT_JOURNAL = "1";

const FORMAT = "format";

/**
 * Reads the version of a store.
 *
 * @returns `new` where none is written: nothing has been stored, or the index is incomplete
 * @throws CastoreError UNKNOWN_FORMAT when it is not ours
 */
export async function checkFormat(records: Pick<RecordStore, "get">): Promise<"new" | "old" | "current"> {
  const stored = await records.get(FACTS.keyOf(FORMAT));
  if (stored === undefined) return "new";
  const version = new TextDecoder().decode(stored);
  if (version === FORMAT_VERSION) return "current";
  if (version === WITHOUT_JOURNAL) return "old";
  throw new CastoreError(
    "UNKNOWN_FORMAT",
    `the store has format ${JSON.stringify(version)}, this version reads ${WITHOUT_JOURNAL} and ${FORMAT_VERSION}`,
  );
}

/** Makes an index count as complete, and of this version. */
export function noteFormat(): RecordChange {
  return FACTS.put(FORMAT, new TextEncoder().encode(FORMAT_VERSION));
}

/** Makes an index count as one that has not got everything yet. */
export function forgetFormat(): RecordChange {
  return FACTS.remove(FORMAT);
}
