/**
 * The `.ls` listing of a NAR: its tree as JSON, with the place of each file's contents.
 *
 * Source: "NAR listing" in the Nix manual; `src/libutil/nar-accessor.cc` of Nix.
 */
export interface NarListing {
  readonly version: 1;
  readonly root: NarListingNode;
}

/** A node of a {@link NarListing}. */
export type NarListingNode = NarListingFile | NarListingDirectory | NarListingSymlink;

/** A regular file. */
export interface NarListingFile {
  readonly type: "regular";
  /** Length of the contents, in bytes. */
  readonly size: number;
  /** Place of the contents in the NAR, in bytes. */
  readonly narOffset: number;
  readonly executable: boolean;
}

/** A directory. */
export interface NarListingDirectory {
  readonly type: "directory";
  /** By name, which here has to be text. */
  readonly entries: ReadonlyMap<string, NarListingNode>;
}

/** A symbolic link. */
export interface NarListingSymlink {
  readonly type: "symlink";
  readonly target: string;
}

/**
 * The node at a path such as `bin/hello`, of which empty components and `.` do not count;
 * undefined when there is none. Links are not followed.
 *
 * @throws RangeError for an absolute path, and one with `..`
 */
export function lookUpListing({ root }: NarListing, path: string): NarListingNode | undefined {
  if (path.startsWith("/")) throw new RangeError(`${JSON.stringify(path)} is an absolute path`);
  let node: NarListingNode | undefined = root;
  for (const component of path.split("/")) {
    if (component === "" || component === ".") continue;
    if (component === "..") throw new RangeError(`${JSON.stringify(path)} leads upwards`);
    node = node?.type === "directory" ? node.entries.get(component) : undefined;
  }
  return node;
}
