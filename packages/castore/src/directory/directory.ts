import { compareBytes, escapeBytes } from "@tvix/byte-stream";
import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { assertEntry } from "./assert-entry.ts";
import { encodeEntries } from "./encode-entries.ts";
import { type DirectoryEntry, type DirectoryNode, type Node, U64_MAX } from "./node.ts";
import type { PathComponent } from "./path-component.ts";

/**
 * How a directory's size counts its own entries: once, as the protocol documents it, or
 * twice, as the deployed Rust stores write it. The sizes of children count as written.
 */
export type SizeConvention = "documented" | "doubled";

/**
 * What is written unless told otherwise. The Rust stores refuse a nested directory whose size is
 * counted once; counted twice, trees go either way, and have the digests that theirs have.
 */
export const DEFAULT_SIZE_CONVENTION: SizeConvention = "doubled";

/**
 * A directory: entries in bytewise order of their names, each name once. Immutable, and
 * valid by construction.
 */
export class Directory {
  /** In order of their names. */
  readonly entries: readonly DirectoryEntry[];
  /** Sum of the sizes that the child directories are declared with. */
  readonly #childSizes: bigint;
  #encoded: Uint8Array | undefined;
  #digest: B3Digest | undefined;

  private constructor(entries: readonly DirectoryEntry[], childSizes: bigint) {
    this.entries = entries;
    this.#childSizes = childSizes;
  }

  /**
   * A directory with these entries, given in any order.
   *
   * @throws CastoreError SIZE_OVERFLOW when the size does not fit 64 bits,
   *   DUPLICATE_NAME when two entries share a name; TypeError or RangeError, which name the field, for what is
   *   no entry
   */
  static of(entries: Iterable<DirectoryEntry>): Directory {
    const given = [...entries];
    given.forEach(assertEntry);
    const sorted = given.sort((a, b) => compareBytes(a.name.bytes, b.name.bytes));
    let childSizes = 0n;
    for (const { node } of sorted) if (node.type === "directory") childSizes += node.size;
    if (BigInt(sorted.length) + childSizes > U64_MAX) {
      throw new CastoreError("SIZE_OVERFLOW", "total size exceeds 64 bits");
    }
    sorted.forEach((entry, index) => {
      if (index > 0 && sorted[index - 1]?.name.equals(entry.name)) {
        throw new CastoreError("DUPLICATE_NAME", `${escapeBytes(entry.name.bytes)} is a duplicate name`);
      }
    });
    return new Directory(sorted, childSizes);
  }

  /** The entry of this name, undefined when there is none. */
  get(name: PathComponent): Node | undefined {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entries[middle] as DirectoryEntry;
      const order = name.compare(entry.name);
      if (order === 0) return entry.node;
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return undefined;
  }

  /** Its entries that are directories, in order. */
  *children(): Generator<{ name: PathComponent; node: DirectoryNode }, void, undefined> {
    for (const { name, node } of this.entries) if (node.type === "directory") yield { name, node };
  }

  /** Number of entries, all levels counted, by one convention or the other. */
  size(convention: SizeConvention = DEFAULT_SIZE_CONVENTION): bigint {
    const own = BigInt(this.entries.length);
    return this.#childSizes + (convention === "doubled" ? 2n * own : own);
  }

  /** Whether a parent may declare it with this size: by either convention. */
  hasSize(size: bigint): boolean {
    return size === this.size("documented") || size === this.size("doubled");
  }

  /** The canonical encoding, of which {@link digest} is the digest. Must not be changed. */
  encode(): Uint8Array {
    this.#encoded ??= encodeEntries(this.entries);
    return this.#encoded;
  }

  /** The digest that names it. */
  digest(): B3Digest {
    this.#digest ??= B3Digest.of(this.encode());
    return this.#digest;
  }
}

/** The digests of the files of a directory, in the order of their names. */
export function filesOf(directory: Directory): B3Digest[] {
  return directory.entries.flatMap(({ node }) => (node.type === "file" ? [node.digest] : []));
}
