import { Directory, type SizeConvention } from "./directory.ts";
import type { DirectoryEntry, Node } from "./node.ts";
import { PathComponent } from "./path-component.ts";

/** A node on its way into a tree; a directory comes after everything in it. */
export interface TreeEntry {
  /** Name in its directory; not looked at for the root. */
  readonly name: Uint8Array;
  /** Number of directories above it; 0 for the root. */
  readonly depth: number;
  /** The node, or `directory` for one made of the entries that came before it. */
  readonly node: Exclude<Node, { type: "directory" }> | "directory";
}

/**
 * Puts a tree together from its entries, children first, and holds no more of it than the
 * open directories.
 */
export class TreeBuilder {
  readonly #convention: SizeConvention;
  /** Entries of the open directories, by depth. */
  readonly #open: DirectoryEntry[][] = [];
  #root: Node | undefined;

  /** @param convention how the sizes of directories are counted */
  constructor(convention: SizeConvention) {
    this.#convention = convention;
  }

  /**
   * Takes the next entry; returns the directory that is complete with it, if it is one.
   *
   * @throws CastoreError INVALID_NAME, DUPLICATE_NAME or SIZE_OVERFLOW
   */
  add({ name, depth, node }: TreeEntry): Directory | undefined {
    if (this.#root !== undefined) throw new Error("the root of a tree comes last");
    if (node !== "directory") {
      this.#place(name, depth, node);
      return undefined;
    }
    const directory = Directory.of(this.#take(depth));
    const size = directory.size(this.#convention);
    this.#place(name, depth, { type: "directory", digest: directory.digest(), size });
    return directory;
  }

  /** The root, once it has been added. */
  get root(): Node | undefined {
    return this.#root;
  }

  #place(name: Uint8Array, depth: number, node: Node): void {
    if (depth === 0) this.#root = node;
    else this.#entriesAt(depth - 1).push({ name: PathComponent.from(name), node });
  }

  /** The entries so far of the open directory at a depth. */
  #entriesAt(depth: number): DirectoryEntry[] {
    while (this.#open.length <= depth) this.#open.push([]);
    return this.#open[depth] as DirectoryEntry[];
  }

  #take(depth: number): DirectoryEntry[] {
    const entries = this.#entriesAt(depth);
    this.#open[depth] = [];
    return entries;
  }
}
