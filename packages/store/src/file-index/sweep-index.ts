import { equalBytes } from "@tvix/byte-stream";
import type {
  OperationOptions,
  PathComponent,
  RecordChange,
  RecordCondition,
  RecordStore,
  TableEntry,
} from "@tvix/castore";
import { inBatches } from "@tvix/castore/backend";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS } from "../records/tables.ts";
import { indexedTreeOf } from "./index-tree.ts";
import { INDEXED_PARTS, INDEXED_TREES, type IndexedPart, type IndexedTree, NAMED_FILES } from "./tables.ts";

/** Trees that are looked at together. */
const TOGETHER = 1000;

/** No part has a higher number. */
const LAST_NUMBER = 0xffff_ffff;

/** Writes changes if conditions hold, and says whether they did. */
type Write = (changes: readonly RecordChange[], conditions?: readonly RecordCondition[]) => Promise<boolean>;

/** Removes what is recorded of the files of store paths that are there no more, or have other contents now. */
export async function sweepFileIndex(
  records: RecordStore,
  write: Write,
  options: OperationOptions = {},
): Promise<void> {
  for await (const batch of inBatches(INDEXED_TREES.entries(records, undefined, options), TOGETHER)) {
    const keys = batch.map((entry) => entry.findKey());
    const pathKeys = keys.map((tree) => PATH_INFOS.keyOf(tree?.pathDigest ?? new Uint8Array(0)));
    const infos = await records.getMany(pathKeys);
    for (const [index, entry] of batch.entries()) {
      const [tree, value] = [keys[index], infos[index]];
      if (tree !== undefined && isOf(tree, value)) continue;
      // One that is put again at this moment keeps what is recorded of it.
      await write([entry.remove()], [{ key: pathKeys[index] as Uint8Array, value }]);
    }
  }
  for (let after: IndexedPart | undefined; ; ) {
    const entry = await firstPart(records, after, options);
    if (entry === undefined) return;
    const part = entry.findKey();
    if (part === undefined) {
      await write([entry.remove()]);
      continue;
    }
    if (!(await INDEXED_TREES.has(records, part))) await removeParts(records, part, write, options);
    after = { ...part, number: LAST_NUMBER };
  }
}

/** Removes all that is recorded of the files of a store path. */
export async function removeFromFileIndex(
  records: RecordStore,
  info: Pick<PathInfo, "storePath" | "node">,
  options: OperationOptions = {},
): Promise<void> {
  const tree = indexedTreeOf(info);
  if (tree === undefined) return;
  await records.write([INDEXED_TREES.remove(tree)]);
  await removeParts(records, tree, (changes) => records.write(changes), options);
}

async function removeParts(
  records: RecordStore,
  tree: IndexedTree,
  write: Write,
  options: OperationOptions,
): Promise<void> {
  const within = INDEXED_TREES.declaration.key.encode(tree);
  for await (const entry of INDEXED_PARTS.entries(records, within, options)) {
    const part = entry.findKey();
    // A damaged record names nothing any more: what it is about can be found, and is not answered with.
    const names = part === undefined ? undefined : await INDEXED_PARTS.find(records, part);
    const files = (names ?? []).map((name) => NAMED_FILES.remove({ ...(part as IndexedPart), name }));
    await write([...files, entry.remove()]);
  }
}

async function firstPart(
  records: RecordStore,
  after: IndexedPart | undefined,
  options: OperationOptions,
): Promise<TableEntry<IndexedPart, readonly PathComponent[]> | undefined> {
  for await (const entry of INDEXED_PARTS.entries(records, undefined, { ...options, after })) return entry;
  return undefined;
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
