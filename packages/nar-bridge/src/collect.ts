import type { Node, RecordStore } from "@tvix/castore";
import type { Marker } from "@tvix/castore/backend";
import { PATH_INFOS } from "@tvix/store/records";
import { EXTRAS, SIDE_FILES } from "./tables.ts";

/**
 * Marks the contents of side files, which nothing else reaches.
 *
 * @throws CastoreError CORRUPT when the record of one is damaged
 */
export async function markSideFiles(records: RecordStore, marker: Marker): Promise<void> {
  for await (const entry of SIDE_FILES.entries(records)) await marker.blobs([entry.value().digest]);
}

/** The contents of side files, by the paths of these; those whose records are damaged are left out. */
export async function* contentsOfSideFiles(
  records: RecordStore,
): AsyncGenerator<{ readonly name: string; readonly node: Node }, void, undefined> {
  for await (const entry of SIDE_FILES.entries(records)) {
    const name = entry.key();
    const file = await SIDE_FILES.find(records, name);
    if (file === undefined) continue;
    const node = { type: "file", digest: file.digest, size: BigInt(file.size), executable: false } as const;
    yield { name: `side file ${name}`, node };
  }
}

/** Removes what narinfos said besides of paths that are there no more. */
export async function removeOrphanedExtras(records: RecordStore): Promise<void> {
  for await (const entry of EXTRAS.entries(records)) {
    const digest = entry.key();
    if (await PATH_INFOS.has(records, digest)) continue;
    await records.write([entry.remove()], [entry.isUnchanged(), PATH_INFOS.isAbsent(digest)]);
  }
}
