import { concatBytes, equalBytes } from "@tvix/byte-stream";
import {
  type CastorePath,
  isDamage,
  letOthersRun,
  type OperationOptions,
  type PathComponent,
  type RecordStore,
  type TableEntry,
} from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";
import { indexedTreeOf } from "./index-tree.ts";
import { type PlaceInTree, placeLength } from "./places.ts";
import {
  INDEXED_TREES,
  keyPrefixOf,
  NAMED_FILES,
  type NamedPart,
  type Position,
  positionOfText,
  positionToText,
} from "./tables.ts";

/** Which files are looked for. */
export interface FileQuery {
  /** What their paths end with: a name, or names with slashes between them. Not the root. */
  readonly path: CastorePath;
  /** `next` of the page before. Default: from the first one on. */
  readonly after?: string | undefined;
  /** Most files on the page, at least 1. */
  readonly size: number;
}

/** A file that was found. */
export interface FoundFile extends Omit<PlaceInTree, "folder"> {
  /** The store path it lies in. */
  readonly info: PathInfo;
  /** Where it lies in there, names with slashes between them. */
  readonly path: Uint8Array;
}

/** Some of the files. */
export interface FoundFiles {
  readonly files: readonly FoundFile[];
  /** Behind which the next page begins; undefined after the last one. */
  readonly next: string | undefined;
}

/** Records and bytes of them that are looked at for one page, at most: of a frequent name, few may lie in such a folder. */
const MAX_RECORDS = 2000;
const MAX_BYTES = 4 << 20;

/** Records after which others have their turn. */
const RECORDS_IN_A_ROW = 16;

/** Which store paths have a file of some name, as far as they are indexed. */
export class FileIndex {
  readonly #records: RecordStore;
  readonly #pathInfos: Pick<PathInfoService, "get">;

  /**
   * @param records which {@link BackgroundFileIndexing} writes
   * @param pathInfos those that are there: of others nothing is told
   */
  constructor(records: RecordStore, pathInfos: Pick<PathInfoService, "get">) {
    this.#records = records;
    this.#pathInfos = pathInfos;
  }

  /**
   * One page of the files that a query is for, in the order of the digests of their store paths. It may be short, or empty,
   * before the last one.
   *
   * @returns undefined where `after` is no text that was given as `next`
   */
  async find(
    { path, after, size }: FileQuery,
    options: OperationOptions = {},
  ): Promise<FoundFiles | undefined> {
    const { name, parent } = path;
    if (name === undefined) return { files: [], next: undefined };
    const begin = after === undefined ? undefined : positionOfText(after);
    if (after !== undefined && begin === undefined) return undefined;
    const folder = parent?.toBytes() ?? new Uint8Array(0);
    const files: FoundFile[] = [];
    let [records, bytes] = [0, 0];
    for await (const { part, places, length, skipped } of this.#places(name, begin, options)) {
      const isFirst = records === 0;
      if (!isFirst && (records >= MAX_RECORDS || bytes + length > MAX_BYTES)) {
        return { files, next: positionToText({ part, files: skipped }) };
      }
      bytes += length;
      if (++records % RECORDS_IN_A_ROW === 0) await letOthersRun();
      const isAnyThere = places.some((place) => isWithin(place.folder, folder));
      const info = isAnyThere ? await this.#infoOf(part, options) : undefined;
      if (info === undefined) continue;
      for (const [index, { type, size: fileSize, folder: at }] of places.entries()) {
        if (index < skipped || !isWithin(at, folder)) continue;
        if (files.length === size) return { files, next: positionToText({ part, files: index }) };
        files.push({ info, path: joined(at, name.bytes), type, size: fileSize });
      }
    }
    return { files, next: undefined };
  }

  /** The records of a name from a position on. */
  async *#places(
    name: PathComponent,
    begin: Position | undefined,
    options: OperationOptions,
  ): AsyncGenerator<Places, void, undefined> {
    if (begin !== undefined) {
      const part = { ...begin.part, name };
      const places = await NAMED_FILES.find(this.#records, part);
      const length = places === undefined ? 0 : lengthOf(places);
      if (places !== undefined) yield { part, places, length, skipped: begin.files };
    }
    const range = { ...options, after: begin && { ...begin.part, name } };
    for await (const entry of NAMED_FILES.entries(this.#records, keyPrefixOf(name), range)) {
      const part = entry.findKey();
      if (part === undefined) continue;
      const places = placesOf(entry);
      // Its tree is indexed anew with the next look at all paths.
      if (places === undefined) await this.#records.write([INDEXED_TREES.remove(part)]).catch(() => {});
      else yield { part, places, length: entry.length, skipped: 0 };
    }
  }

  /** The path info of a tree, if the path still has it. */
  async #infoOf({ pathDigest, root }: NamedPart, options: OperationOptions): Promise<PathInfo | undefined> {
    try {
      const info = await this.#pathInfos.get(pathDigest, options);
      const tree = info && indexedTreeOf(info);
      return tree !== undefined && equalBytes(tree.root, root) ? info : undefined;
    } catch (error) {
      // Whoever asks for the path itself is told that it is damaged.
      if (StoreError.is(error) && error.code === "CORRUPT") return undefined;
      throw error;
    }
  }
}

/** The files of a name in a part of a tree. */
interface Places {
  readonly part: NamedPart;
  readonly places: readonly PlaceInTree[];
  /** Bytes of the record. */
  readonly length: number;
  /** Files that were told before. */
  readonly skipped: number;
}

function lengthOf(places: readonly PlaceInTree[]): number {
  return places.reduce((sum, place) => sum + placeLength(place), 0);
}

/** Undefined for a damaged record. */
function placesOf(entry: TableEntry<NamedPart, readonly PlaceInTree[]>): readonly PlaceInTree[] | undefined {
  try {
    return entry.value();
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

const SLASH = Uint8Array.of(0x2f);

function joined(folder: Uint8Array, name: Uint8Array): Uint8Array {
  return folder.length === 0 ? name : concatBytes([folder, SLASH, name]);
}

/** Whether the path of a folder ends with some names. */
function isWithin(folder: Uint8Array, end: Uint8Array): boolean {
  if (end.length === 0) return true;
  const start = folder.length - end.length;
  if (start < 0 || !equalBytes(folder.subarray(start), end)) return false;
  return start === 0 || folder[start - 1] === SLASH[0];
}
