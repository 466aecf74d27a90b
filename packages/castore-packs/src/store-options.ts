import type {
  B3Digest,
  BlobService,
  CastoreError,
  ChunkSizes,
  DirectoryService,
  MemoryLedger,
  OperationOptions,
  RecordStore,
  StoredBlobs,
} from "@tvix/castore";
import type { CompactionOptions, CompactionReport, Scratch } from "@tvix/castore/backend";
import type { CopyContents, CopyState, FilePart } from "./backup.ts";
import type { StoreActivity, StoreSize } from "./store-activity.ts";

/** How a {@link Store} works, wherever it lies. */
export interface ServedStoreOptions {
  /** zstd level of chunks, from 1 (fast) to 19 (small). Default 3. */
  readonly compressionLevel?: number;
  /** Longest encoding of a directory that is stored, in bytes. Default 32 MiB: some 300,000 entries. */
  readonly maxDirectoryBytes?: number;
  /** Default: 128, 256 and 512 KiB. Blobs of other sizes stay readable. */
  readonly chunkSizes?: ChunkSizes;
  /** What uploads draw their memory from. Default: whatever they need. */
  readonly memory?: MemoryLedger;
}

/** How a store in a folder works. */
export interface StoreOptions extends ServedStoreOptions {
  /** Whether a store is made where there is none. Default true. */
  readonly create?: boolean;
  /**
   * Whether the index is set aside, as a folder beside, and made again from the journal and the packs: for one that is
   * damaged. Default false.
   */
  readonly remakeIndex?: boolean;
  /** Called with a line for a person when opening finds something to tell. Default: nobody is told. */
  readonly onNotice?: (text: string) => void;
  /**
   * Whether what is acknowledged survives a power cut. Default true. Without, it survives
   * the end of the process, `kill -9` included.
   */
  readonly sync?: boolean;
  /** Length after which a pack file is complete, in bytes. Default 256 MiB. */
  readonly packBytes?: number;
  /** Length after which a file of the journal is complete, in bytes. Default 16 MiB. */
  readonly journalBytes?: number;
  /** What the store may take of the disk, in bytes: from then on nothing is stored until some has gone. Default: any number. */
  readonly maxDiskBytes?: number | undefined;
}

/** Blobs and directories, and what those do with them who look after them. */
export interface Store extends AsyncDisposable {
  /** 32 hexadecimal digits: those of a store and of its copies are the same. */
  readonly id: string;
  /** Whether other processes use it at the same time: then what is remembered of it is asked for again now and then. */
  readonly isShared: boolean;
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** The blobs in the form in which they are stored. */
  readonly storedBlobs: StoredBlobs;
  /** What it has done since it was opened. */
  readonly activity: StoreActivity;
  /** What it takes, wherever it lies. */
  size(): Promise<StoreSize>;
  /** The index, for services that keep theirs beside. */
  readonly database: RecordStore;
  /**
   * Looks whether a chunk is where the index says; one that is not counts as absent until it is stored again.
   *
   * @param readsData whether its bytes are read, and compared with the digest
   * @returns bytes of the chunk that were read
   * @throws CastoreError CORRUPT when it is damaged
   */
  inspectChunk(digest: B3Digest, readsData: boolean): Promise<number>;
  /** Removes what is known of a chunk that was found damaged. @returns whether it was */
  forgetDamagedChunk(digest: B3Digest): Promise<boolean>;
  /**
   * Searches the packs for chunks that have no record, or a damaged one.
   *
   * @returns how many were found
   */
  findLostChunks(options?: OperationOptions): Promise<number>;
  /** Makes empty records on the disk, for as long as something is looked through. */
  openScratch(): Promise<Scratch>;
  /**
   * Gives back the room of chunks that are not wanted any more: writes packs anew of which little is wanted, and has
   * the database do the same. Others may read and write meanwhile.
   */
  compact(options?: CompactionOptions): Promise<CompactionReport>;
  /**
   * Why nothing can be stored at present, such as a full disk; undefined while all is well. Tries
   * to make it possible again.
   */
  check(): Promise<CastoreError | undefined>;
  /** Finishes what is being written and closes the database; calls after it fail with CLOSED. */
  close(): Promise<void>;
}

/** What only a store has that lies in a folder. */
export interface StoreFolder {
  /**
   * What its index was found to be: there, or new; or lost, and made again from the journal, of which all was there or only
   * a part.
   */
  readonly foundIndex: "there" | "new" | "rebuilt" | "partly-rebuilt";
  /** Reads the journal. @returns whether the index could be made from it, if that were lost */
  checkJournal(): Promise<boolean>;
  /** Begins the journal again, with all records that there are: for one of which a part is lost. */
  renewJournal(): Promise<void>;
  /**
   * What a copy of the store lacks, of the moment at which this is called: packs and journal, from which `openStore` makes
   * the rest. Others may read and write meanwhile; compaction waits until all is read.
   *
   * @param copy what the copy has so far
   * @param onContents told what the copy consists of, before the first part: other files of it go when it is done
   * @returns bytes in the order in which they are to be written, so that the copy is a whole store all the while
   * @throws CastoreError ALREADY_EXISTS when the copy is one of another store, CLOSED when the store is closed before its end
   */
  backup(
    copy: CopyState,
    onContents: (contents: CopyContents) => void,
    options?: OperationOptions,
  ): AsyncIterable<FilePart>;
}

/** A store in a folder. */
export interface FolderStore extends Store, StoreFolder {}
