import { equalBytes } from "@tvix/byte-stream";
import type { OperationOptions, RecordCondition, RecordStore } from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import { PATH_INFOS } from "../records/tables.ts";
import { indexedTreeOf } from "./index-tree.ts";
import { removeParts } from "./remove-parts.ts";
import { INDEXED_PARTS, INDEXED_TREES, type IndexedTree, underWay } from "./tables.ts";

/** Trees, and parts of them, that are looked at together. */
const TOGETHER = 1000;
const PARTS_TOGETHER = 50;

/** Removes what is recorded of the files of store paths that are there no more, or have other contents now. */
export async function sweepFileIndex(records: RecordStore, options: OperationOptions = {}): Promise<void> {
  for await (const batch of inBatches(INDEXED_TREES.entries(records, undefined, options), TOGETHER)) {
    const trees = batch.flatMap((entry) => entry.findKey() ?? []);
    const keys = trees.map(({ pathDigest }) => PATH_INFOS.keyOf(pathDigest));
    const infos = await records.getMany(keys);
    for (const [index, tree] of trees.entries()) {
      const value = infos[index];
      // One that is put again at this moment keeps what is recorded of it.
      const isGone = { key: keys[index] as Uint8Array, value };
      if (!isOf(tree, value)) await removeTree(records, tree, [isGone], options);
    }
  }
  await sweepLostParts(records, options);
}

/** Removes parts of trees of which nobody knows any more that they are indexed. */
async function sweepLostParts(records: RecordStore, options: OperationOptions): Promise<void> {
  for await (const batch of inBatches(INDEXED_PARTS.entries(records, undefined, options), PARTS_TOGETHER)) {
    const parts = batch.flatMap((entry) => entry.findKey() ?? []);
    const known = await records.getMany(parts.map((part) => INDEXED_TREES.keyOf(part)));
    for (const [index, part] of parts.entries()) {
      if (known[index] === undefined)
        await removeTree(records, part, [INDEXED_TREES.isAbsent(part)], options);
    }
  }
}

/**
 * Removes all that is recorded of the files of a store path that is there no more, whatever contents it had.
 *
 * @param pathDigest 20 bytes
 */
export async function removeFromFileIndex(
  records: RecordStore,
  pathDigest: Uint8Array,
  options: OperationOptions = {},
): Promise<void> {
  const isGone = PATH_INFOS.isAbsent(pathDigest);
  for await (const entry of INDEXED_TREES.entries(records, pathDigest, options)) {
    const tree = entry.findKey();
    if (tree !== undefined) await removeTree(records, tree, [isGone], options);
  }
}

/** Takes a tree from whoever is at it, and removes it; whoever begins with it meanwhile takes it back. */
async function removeTree(
  records: RecordStore,
  tree: IndexedTree,
  conditions: readonly RecordCondition[],
  options: OperationOptions,
): Promise<void> {
  const taken = INDEXED_TREES.put(tree, underWay());
  if (!(await records.write([taken], conditions))) return;
  const isOurs = { key: taken.key, value: taken.value };
  const isRemoved = await removeParts(records, tree, (changes) => records.write(changes, [isOurs]), options);
  if (isRemoved) await records.write([INDEXED_TREES.remove(tree)], [isOurs]);
}

/** Whether the record of a path says that it has this tree. */
function isOf(tree: IndexedTree, record: Uint8Array | undefined): boolean {
  if (record === undefined) return false;
  const info = PATH_INFOS.decode(tree.pathDigest, record);
  // Nobody knows what a damaged one has.
  if (info === undefined) return true;
  const current = indexedTreeOf(info);
  return current !== undefined && equalBytes(current.root, tree.root);
}
