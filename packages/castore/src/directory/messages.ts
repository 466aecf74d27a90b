/** A DirectoryNode message of tvix, or a DirectoryEntry of snix. */
export interface DirectoryNodeMessage {
  name: Uint8Array;
  digest: Uint8Array;
  size: bigint;
}

/** A FileNode message of tvix, or a FileEntry of snix. */
export interface FileNodeMessage extends DirectoryNodeMessage {
  executable: boolean;
}

/** A SymlinkNode message of tvix, or a SymlinkEntry of snix. */
export interface SymlinkNodeMessage {
  name: Uint8Array;
  target: Uint8Array;
}

/** A Directory message of either name space. */
export interface DirectoryMessage {
  directories: DirectoryNodeMessage[];
  files: FileNodeMessage[];
  symlinks: SymlinkNodeMessage[];
}
