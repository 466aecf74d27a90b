import {
  type DirectoryService,
  type OperationOptions,
  type PathComponent,
  type RecordChange,
  type RecordStore,
  walkTree,
} from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS } from "../records/tables.ts";
import { type PlaceInTree, placeLength, placeOf } from "./places.ts";
import { removeParts } from "./remove-parts.ts";
import { INDEXED_PARTS, INDEXED_TREES, type IndexedTree, NAMED_FILES, underWay } from "./tables.ts";

/** A tree with more entries is not indexed: a few directories may unfold to any number of them. */
const MAX_ENTRIES = 2_000_000;

/** A part is written when it takes so many bytes, names and places together. */
const PART_BYTES = 1 << 20;

/** Or when the places of one name do. */
const PLACES_BYTES = 64 << 10;

/** Bytes of a name's keys and of what a map takes for it. */
const NAME_BYTES = 128;

/** The tree of a store path; undefined for one that has nothing in it: a file or a link. */
export function indexedTreeOf({
  storePath,
  node,
}: Pick<PathInfo, "storePath" | "node">): IndexedTree | undefined {
  if (node.type !== "directory") return undefined;
  return { pathDigest: storePath.digest, root: node.digest.bytes.subarray(0, 8) };
}

/** How a tree is indexed. */
export interface IndexTreeOptions extends OperationOptions {
  /** A tree with more entries is not indexed. Default 2,000,000. */
  readonly maxEntries?: number | undefined;
}

/**
 * Records where the files of a store path lie, if that is not recorded yet. Memory is bounded, whatever the tree. It ends
 * where the path goes, or its index is removed, or begun by somebody else.
 *
 * @throws CastoreError INCOMPLETE when the tree is not there as a whole
 */
export async function indexTree(
  records: RecordStore,
  directories: Pick<DirectoryService, "get">,
  pathDigest: Uint8Array,
  options: IndexTreeOptions = {},
): Promise<void> {
  const key = PATH_INFOS.keyOf(pathDigest);
  const record = await records.get(key);
  const info = record && PATH_INFOS.decode(pathDigest, record);
  const tree = info && indexedTreeOf(info);
  if (info === undefined || tree === undefined) return;
  const begun = INDEXED_TREES.put(tree, underWay());
  const found = await records.get(begun.key);
  const known = found && INDEXED_TREES.decode(tree, found);
  if (known !== undefined && known.type !== "under way") return;
  const isAsFound = { key: begun.key, value: found };
  if (!(await records.write([begun], [{ key, value: record }, isAsFound]))) return;
  const isOurs = { key: begun.key, value: begun.value };
  const write = (changes: readonly RecordChange[]) => records.write(changes, [isOurs]);
  // Whoever began before may have divided it in another way.
  if (!(await removeParts(records, tree, write, options))) return;
  const writer = new PartWriter(write, tree);
  const { maxEntries = MAX_ENTRIES } = options;
  let entries = 0;
  for await (const { path, node } of walkTree(info.node, directories, options)) {
    const { name, parent } = path;
    if (name === undefined || parent === undefined) continue;
    if (++entries > maxEntries) {
      await removeParts(records, tree, write, options);
      await write([INDEXED_TREES.put(tree, { type: "too large" })]);
      return;
    }
    if (!(await writer.add(name, placeOf(node, parent.toBytes())))) return;
  }
  if (await writer.finish()) await write([INDEXED_TREES.put(tree, { type: "complete" })]);
}

/** Writes changes as long as the tree is ours, and says whether it was. */
type Write = (changes: readonly RecordChange[]) => Promise<boolean>;

/** Gathers the files of a tree by their names, and writes them part by part. */
class PartWriter {
  readonly #write: Write;
  readonly #tree: IndexedTree;
  #number = 0;
  #length = 0;
  #gathered: Map<string, Named> = new Map();

  constructor(write: Write, tree: IndexedTree) {
    this.#write = write;
    this.#tree = tree;
  }

  /** @returns false when the tree is not ours any more */
  async add(name: PathComponent, place: PlaceInTree): Promise<boolean> {
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
    return named.length < PLACES_BYTES && this.#length < PART_BYTES ? true : await this.finish();
  }

  /** Writes what is gathered. @returns the same */
  async finish(): Promise<boolean> {
    if (this.#gathered.size === 0) return true;
    const part = { ...this.#tree, number: this.#number++ };
    const named = [...this.#gathered.values()];
    const names = named.map(({ name }) => name);
    this.#gathered = new Map();
    this.#length = 0;
    return await this.#write([
      INDEXED_PARTS.put(part, names),
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
