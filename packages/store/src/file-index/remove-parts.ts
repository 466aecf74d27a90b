import type { OperationOptions, RecordChange, RecordStore } from "@tvix/castore";
import {
  INDEXED_PARTS,
  INDEXED_TREES,
  type IndexedPart,
  type IndexedTree,
  isSameTree,
  NAMED_FILES,
} from "./tables.ts";

/**
 * Removes all parts of a tree, but not what says how far it is indexed.
 *
 * @param write writes changes as long as the tree is the caller's, and says whether it was
 * @returns false where it was not: then some are left
 */
export async function removeParts(
  records: RecordStore,
  tree: IndexedTree,
  write: (changes: readonly RecordChange[]) => Promise<boolean>,
  options: OperationOptions,
): Promise<boolean> {
  const within = INDEXED_TREES.declaration.key.encode(tree);
  for await (const entry of INDEXED_PARTS.entries(records, within, options)) {
    const part = entry.findKey();
    if (part === undefined) continue;
    const names = await INDEXED_PARTS.find(records, part);
    const files =
      names === undefined
        ? await filesOf(records, part, options)
        : names.map((name) => NAMED_FILES.remove({ ...part, name }));
    if (!(await write([...files, entry.remove()]))) return false;
  }
  return true;
}

/** What removes the files of a part whose names are not known any more: all that are recorded are looked at. */
async function filesOf(
  records: RecordStore,
  part: IndexedPart,
  options: OperationOptions,
): Promise<readonly RecordChange[]> {
  const changes: RecordChange[] = [];
  for await (const entry of NAMED_FILES.entries(records, undefined, options)) {
    const key = entry.findKey();
    if (key !== undefined && isSameTree(key, part) && key.number === part.number)
      changes.push(entry.remove());
  }
  return changes;
}
