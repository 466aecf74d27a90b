import type { ByteSource } from "@tvix/byte-stream";

/** A directory; the entries in it follow, and then its {@link NarEnd}. */
export interface NarDirectory {
  readonly type: "directory";
  /** Name in its directory; empty for the root. */
  readonly name: Uint8Array;
}

/** A regular file. */
export interface NarFile {
  readonly type: "file";
  readonly name: Uint8Array;
  readonly executable: boolean;
  /** Length of the contents, in bytes. */
  readonly size: number;
  /** A reader gives contents of up to 64 KiB as one piece, and longer ones as a stream. */
  readonly contents: ByteSource;
}

/** A symbolic link. */
export interface NarSymlink {
  readonly type: "symlink";
  readonly name: Uint8Array;
  readonly target: Uint8Array;
}

/** The end of the innermost open directory. */
export interface NarEnd {
  readonly type: "end";
}

/**
 * A NAR as a flat sequence: the root first, with an empty name; after a directory what is in
 * it, sorted bytewise by name, and its end. Reader and writer speak the same sequence.
 */
export type NarEntry = NarDirectory | NarFile | NarSymlink | NarEnd;

/** A {@link NarEntry} without the contents of files. */
export type NarOutline = NarDirectory | Omit<NarFile, "contents"> | NarSymlink | NarEnd;
