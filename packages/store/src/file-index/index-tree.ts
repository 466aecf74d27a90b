import {
  type DirectoryService,
  type OperationOptions,
  type PathComponent,
  type RecordStore,
  walkTree,
} from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import { type PlaceInTree, placeLength, placeOf } from "./places.ts";
import { INDEXED_PARTS, INDEXED_TREES, type IndexedTree, NAMED_FILES } from "./tables.ts";

/** A part is written when it takes so many bytes, names and places together. */
const PART_BYTES = 1 << 20;

/** Or when the places of one name do. */
const PLACES_BYTES = 64 << 10;

/** Bytes of a name's keys and of what a map takes for it. */
const NAME_BYTES = 128;

/** What the record of a tree holds that is indexed as a whole. */
const COMPLETE = new Uint8Array(0);

const TOKEN_BYTES = 16;

/** The tree of a store path; undefined for one that has nothing in it: a file or a link. */
export function indexedTreeOf({
  storePath,
  node,
}: Pick<PathInfo, "storePath" | "node">): IndexedTree | undefined {
  if (node.type !== "directory") return undefined;
  return { pathDigest: storePath.digest, root: node.digest.bytes.subarray(0, 8) };
}

/** Whether a record of {@link INDEXED_TREES} says that a tree is indexed as a whole. */
export function isComplete(record: Uint8Array | undefined): boolean {
  return record?.length === COMPLETE.length;
}

/**
 * Records where the files of a store path lie, if that is not recorded yet. Memory is bounded, whatever the tree.
 *
 * @returns false where what was recorded was removed meanwhile, or somebody else has begun with it
 * @throws CastoreError INCOMPLETE when the tree is not there as a whole
 */
export async function indexTree(
  records: RecordStore,
  directories: Pick<DirectoryService, "get">,
  info: PathInfo,
  options: OperationOptions = {},
): Promise<boolean> {
  const tree = indexedTreeOf(info);
  if (tree === undefined || isComplete(await INDEXED_TREES.find(records, tree))) return true;
  const begun = INDEXED_TREES.put(tree, crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
  await records.write([begun]);
  const writer = new PartWriter(records, tree);
  for await (const { path, node } of walkTree(info.node, directories, options)) {
    const { name, parent } = path;
    if (name !== undefined && parent !== undefined) await writer.add(name, placeOf(node, parent.toBytes()));
  }
  await writer.finish();
  return await records.write(
    [INDEXED_TREES.put(tree, COMPLETE)],
    [{ key: INDEXED_TREES.keyOf(tree), value: begun.value }],
  );
}

/** Gathers the files of a tree by their names, and writes them part by part. */
class PartWriter {
  readonly #records: RecordStore;
  readonly #tree: IndexedTree;
  #number = 0;
  #length = 0;
  #gathered: Map<string, Named> = new Map();

  constructor(records: RecordStore, tree: IndexedTree) {
    this.#records = records;
    this.#tree = tree;
  }

  async add(name: PathComponent, place: PlaceInTree): Promise<void> {
    // Each byte a character: names need not be UTF-8.
    const key = String.fromCharCode(...name.bytes);
    let named = this.#gathered.get(key);
    if (named === undefined) {
      named = { name, places: [], length: 0 };
      this.#gathered.set(key, named);
      this.#length += NAME_BYTES + 2 * name.bytes.length;
    }
    named.places.push(place);
    named.length += placeLength(place);
    this.#length += placeLength(place);
    if (named.length >= PLACES_BYTES || this.#length >= PART_BYTES) await this.finish();
  }

  /** Writes what is gathered. */
  async finish(): Promise<void> {
    if (this.#gathered.size === 0) return;
    const part = { ...this.#tree, number: this.#number++ };
    const named = [...this.#gathered.values()];
    this.#gathered = new Map();
    this.#length = 0;
    await this.#records.write([
      INDEXED_PARTS.put(
        part,
        named.map(({ name }) => name),
      ),
      ...named.map(({ name, places }) => NAMED_FILES.put({ ...part, name }, places)),
    ]);
  }
}

/** Files of one name. */
interface Named {
  readonly name: PathComponent;
  readonly places: PlaceInTree[];
  length: number;
}
