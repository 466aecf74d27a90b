import type { B3Digest } from "../digest/b3-digest.ts";
import type { PathComponent } from "./path-component.ts";
import type { SymlinkTarget } from "./symlink-target.ts";

/** Largest value of the protocol's sizes. */
export const U64_MAX: bigint = 2n ** 64n - 1n;

/** A directory, known by digest. */
export interface DirectoryNode {
  readonly type: "directory";
  /** Digest of the encoded Directory. */
  readonly digest: B3Digest;
  /** Entries below it, all levels counted, as whoever made it counts; see {@link Directory.size}. */
  readonly size: bigint;
}

/** A regular file, known by digest. */
export interface FileNode {
  readonly type: "file";
  /** Digest of the contents. */
  readonly digest: B3Digest;
  /** Length of the contents in bytes. */
  readonly size: bigint;
  /** Whether the owner may execute it. */
  readonly executable: boolean;
}

/** A symbolic link. */
export interface SymlinkNode {
  readonly type: "symlink";
  /** Where it points, verbatim. */
  readonly target: SymlinkTarget;
}

/** An entry of a file system tree without its name. */
export type Node = DirectoryNode | FileNode | SymlinkNode;

/** A node with its name. */
export interface DirectoryEntry {
  readonly name: PathComponent;
  readonly node: Node;
}
