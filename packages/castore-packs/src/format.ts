import { CastoreError, type RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";

/** Version of the layout of folder, packs and keys; see docs/storage-format.md. */
const FORMAT_VERSION = "1";

const FORMAT = "format";

/**
 * Reads the version of a store.
 *
 * @returns `new` where none is written: nothing has been stored, or the index is incomplete
 * @throws CastoreError UNKNOWN_FORMAT when it is not ours
 */
export async function checkFormat(records: RecordStore): Promise<"new" | "known"> {
  const stored = await FACTS.get(records, FORMAT);
  if (stored === undefined) return "new";
  const version = new TextDecoder().decode(stored);
  if (version !== FORMAT_VERSION) {
    throw new CastoreError(
      "UNKNOWN_FORMAT",
      `the store has format ${JSON.stringify(version)}, this version reads ${FORMAT_VERSION} only`,
    );
  }
  return "known";
}

/** Writes the version: called last, when the index is complete. */
export async function writeFormat(records: RecordStore): Promise<void> {
  await records.write([FACTS.put(FORMAT, new TextEncoder().encode(FORMAT_VERSION))]);
}
