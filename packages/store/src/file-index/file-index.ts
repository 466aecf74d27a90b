import { concatBytes, equalBytes } from "@tvix/byte-stream";
import {
  type CastorePath,
  isDamage,
  type OperationOptions,
  type RecordStore,
  type TableEntry,
} from "@tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";
import { indexedTreeOf } from "./index-tree.ts";
import type { PlaceInTree } from "./places.ts";
import { keyPrefixOf, NAMED_FILES, type NamedPart, partOfText, partToText } from "./tables.ts";

/** Which files are looked for. */
export interface FileQuery {
  /** What their paths end with: a name, or names with slashes between them. Not the root. */
  readonly path: CastorePath;
  /** `next` of the page before. Default: from the first one on. */
  readonly after?: string | undefined;
  /** Files on the page, at least 1: it ends behind the first part of a tree with which it has so many. */
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

/** Records that are looked at for one page, at most: of a frequent name, few may lie in such a folder. */
const MAX_LOOKED_AT = 2000;

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
    const part = after === undefined ? undefined : partOfText(after);
    if (after !== undefined && part === undefined) return undefined;
    const files: FoundFile[] = [];
    const folder = parent?.toBytes() ?? new Uint8Array(0);
    let last: NamedPart | undefined;
    let lookedAt = 0;
    const range = { ...options, after: part && { ...part, name } };
    for await (const entry of NAMED_FILES.entries(this.#records, keyPrefixOf(name), range)) {
      if (last !== undefined && (files.length >= size || lookedAt >= MAX_LOOKED_AT)) {
        return { files, next: partToText(last) };
      }
      lookedAt++;
      const key = entry.findKey();
      if (key === undefined) continue;
      last = key;
      const within = placesOf(entry).filter((place) => isWithin(place.folder, folder));
      const info = within.length === 0 ? undefined : await this.#infoOf(key, options);
      if (info === undefined) continue;
      for (const { type, size: length, folder: at } of within) {
        files.push({ info, path: joined(at, name.bytes), type, size: length });
      }
    }
    return { files, next: undefined };
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

/** Those of a damaged record are not told; a collection removes it, and it can be written again. */
function placesOf(entry: TableEntry<NamedPart, readonly PlaceInTree[]>): readonly PlaceInTree[] {
  try {
    return entry.value();
  } catch (error) {
    if (isDamage(error)) return [];
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
