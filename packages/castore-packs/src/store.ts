import { join } from "node:path";
import { useNativeBlake3 } from "@tvix/blake3-native";
import {
  type B3Digest,
  type BlobService,
  type CastoreError,
  ChunkedBlobService,
  type ChunkSizes,
  type DirectoryService,
  InTurn,
  type MemoryLedger,
  type OperationOptions,
  type RecordChange,
  type StoredBlobs,
} from "@tvix/castore";
import {
  ChunkedStoredBlobs,
  type CompactionOptions,
  type CompactionReport,
  compactExtents,
  IndexedChunkStore,
  RecordChunkListStore,
  RecordDirectoryService,
  recentChunks,
  recentStoredForms,
  removeExpiredUploads,
  type Scratch,
} from "@tvix/castore/backend";
import { type Database, databaseFailure } from "@tvix/castore-level";
import { type CopiedFile, type CopyContents, type FilePart, readBackup } from "./backup.ts";
import { writeCleanEnd } from "./clean-end.ts";
import { DiskLimit } from "./disk-limit.ts";
import { hold } from "./hold.ts";
import type { JournalSnapshot } from "./journal/journal.ts";
import { type OpenIndex, openIndex, REOPEN_BYTES } from "./open-index.ts";
import { PackExtents } from "./pack-extents.ts";
import { prepareStore } from "./prepare-store.ts";
import { openScratch } from "./scratch.ts";
import { setIndexAside } from "./set-index-aside.ts";
import { ActivityCounts, measureStore, type StoreActivity, type StoreSize } from "./store-activity.ts";
import { zstdCodec } from "./zstd-codec.ts";
import { ZstdPool } from "./zstd-pool.ts";

/** How a {@link Store} works. */
export interface StoreOptions {
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
  /** zstd level of chunks, from 1 (fast) to 19 (small). Default 3. */
  readonly compressionLevel?: number;
  /** Length after which a pack file is complete, in bytes. Default 256 MiB. */
  readonly packBytes?: number;
  /** Length after which a file of the journal is complete, in bytes. Default 16 MiB. */
  readonly journalBytes?: number;
  /** What the store may take of the disk, in bytes: from then on nothing is stored until some has gone. Default: any number. */
  readonly maxDiskBytes?: number | undefined;
  /** Longest encoding of a directory that is stored, in bytes. Default 32 MiB: some 300,000 entries. */
  readonly maxDirectoryBytes?: number;
  /** Default: 128, 256 and 512 KiB. Blobs of other sizes stay readable. */
  readonly chunkSizes?: ChunkSizes;
  /** What uploads draw their memory from. Default: whatever they need. */
  readonly memory?: MemoryLedger;
}

/** Blobs and directories in a folder. */
export interface Store extends AsyncDisposable {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** The blobs in the form in which they are stored. */
  readonly storedBlobs: StoredBlobs;
  /** What it has done since it was opened. */
  readonly activity: StoreActivity;
  /** What it takes on the disk. */
  size(): Promise<StoreSize>;
  /** The index, for services that keep theirs beside. */
  readonly database: Database;
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
  /** Makes empty records in the folder, for as long as something is looked through. */
  openScratch(): Promise<Scratch>;
  /**
   * Gives back the room of chunks that are not wanted any more: writes packs anew of which little is wanted, and has
   * the database do the same. Others may read and write meanwhile.
   */
  compact(options?: CompactionOptions): Promise<CompactionReport>;
  /**
   * What a copy of the store lacks, of the moment at which this is called: packs and journal, from which `openStore` makes
   * the rest. Others may read and write meanwhile; compaction waits until all is read.
   *
   * @param known what the copy has so far, by the names of the files
   * @param onContents told what the copy consists of, before the first part: other files of it go when it is done
   * @returns bytes in the order in which they are to be written, so that the copy is a whole store all the while
   */
  backup(
    known: ReadonlyMap<string, CopiedFile>,
    onContents: (contents: CopyContents) => void,
    options?: OperationOptions,
  ): AsyncIterable<FilePart>;
  /**
   * Why nothing can be stored at present, such as a full disk; undefined while all is well. Tries
   * to make it possible again.
   */
  check(): Promise<CastoreError | undefined>;
  /** Finishes what is being written and closes the database; calls after it fail with CLOSED. */
  close(): Promise<void>;
}

/** How often unfinished uploads are looked for whose lease has expired, in milliseconds. */
const SWEEP_MS = 3_600_000;

/** Bytes of chunks, and of their stored forms, that are remembered after they were read. */
const RECENT_CHUNK_BYTES = 4 << 20;
const RECENT_STORED_BYTES = 8 << 20;

/**
 * Opens the store in a folder, and makes it where there is none: LevelDB in `index`, its changes in `journal`, chunks
 * in pack files in `packs`. `docs/storage-format.md` describes them.
 *
 * After a crash nothing needs to be done: what was acknowledged is there. Where all of `index` is
 * missing, it is made again from `journal`; where that is missing as well, the chunks of the packs are indexed anew.
 * Either goes on with the next process when this one ends before.
 *
 * @param path folder of the store
 * @throws CastoreError LOCKED when another process has it open, UNKNOWN_FORMAT when a newer
 *   version wrote it, NOT_A_STORE when there is none and none may be made, CORRUPT when the index
 *   has lost a part, STORAGE_FAILURE when it cannot be read. Where nothing can be written, to a full
 *   disk or a read-only one, it is opened all the same, and what would write fails: NO_SPACE,
 *   STORAGE_FAILURE
 */
export async function openStore(path: string, options: StoreOptions = {}): Promise<Store> {
  useNativeBlake3();
  const { sync = true, create = true, packBytes = 256 << 20, journalBytes } = options;
  if (options.remakeIndex === true) await setIndexAside(path);
  const limit = diskLimitOf(path, options);
  const admit = limit && ((changes: readonly RecordChange[]) => limit.checkChanges(changes));
  const index = await openIndex(path, { create, sync, journalBytes, admit });
  let extents: PackExtents | undefined;
  try {
    if (index.unwritable !== undefined) {
      options.onNotice?.(`${path}: ${index.unwritable.message}, it is opened for reading`);
    }
    const packs = join(path, "packs");
    extents = await PackExtents.open(packs, { sync, packBytes, recoveryBytes: REOPEN_BYTES });
    await prepareStore(path, index, extents, options);
    await limit?.measure();
    return await serve(path, index, extents, limit, options);
  } catch (error) {
    await extents?.close();
    await index.close();
    throw databaseFailure(error);
  }
}

function diskLimitOf(path: string, { maxDiskBytes }: StoreOptions): DiskLimit | undefined {
  if (maxDiskBytes === undefined) return undefined;
  return new DiskLimit(maxDiskBytes, async () => {
    const { packs, index, journal } = await measureStore(path);
    return packs + index + journal;
  });
}

async function serve(
  path: string,
  index: OpenIndex,
  extents: PackExtents,
  limit: DiskLimit | undefined,
  { compressionLevel = 3, chunkSizes, maxDirectoryBytes, memory }: StoreOptions,
): Promise<Store> {
  const { records } = index;
  const counts = new ActivityCounts();
  const pool = new ZstdPool(compressionLevel);
  const lists = new RecordChunkListStore(records);
  const recent = recentChunks(RECENT_CHUNK_BYTES);
  const recentStored = recentStoredForms(RECENT_STORED_BYTES);
  const chunks = await IndexedChunkStore.open({
    records,
    extents,
    codec: zstdCodec(pool),
    recent,
    recentStored,
    onWrite: (size, storedLength) => {
      limit?.check();
      limit?.add(storedLength);
      counts.chunkBytesNew += size;
      counts.chunkBytesStored += storedLength;
    },
  });
  const blobService = new ChunkedBlobService({
    chunks,
    lists,
    ...(chunkSizes === undefined ? {} : { chunkSizes }),
    memory,
    onChunkPut: (bytes) => {
      counts.chunkBytesPut += bytes;
    },
  });
  // Whoever has it open for long sees leases expire; what cannot be removed now is next time.
  const sweep = () => void removeExpiredUploads(records).catch(() => {});
  const sweeping = index.unwritable === undefined ? setInterval(sweep, SWEEP_MS).unref() : undefined;
  const closeAll = async () => {
    clearInterval(sweeping);
    try {
      await pool.close();
      await extents.close();
      // Where the mark cannot be written, the next process begins a new pack, and nothing is lost.
      if (extents.end !== undefined) await writeCleanEnd(records, extents.end).catch(() => {});
    } catch (error) {
      throw databaseFailure(error);
    } finally {
      await index.close();
    }
  };
  const compact = async (options?: CompactionOptions) => {
    const parts = {
      records,
      extents,
      settle: () => chunks.settle(),
      openScratch: () => openScratch(path),
      onDamaged: (digest: B3Digest, record: Uint8Array) => chunks.noteDamage(digest, record),
    };
    const report = await compactExtents(parts, options);
    await index.compact();
    await limit?.measure();
    return report;
  };
  const inTurn = new InTurn();
  async function* backup(...[known, onContents, options]: Parameters<Store["backup"]>) {
    using journal = await hold<JournalSnapshot>((use) =>
      inTurn.run("compaction", () => index.whileKept(use)),
    );
    yield* readBackup(path, extents.directory, journal.value, known, onContents, options);
  }
  let closing: Promise<void> | undefined;
  const close = async () => {
    closing ??= closeAll();
    await closing;
  };
  return {
    blobService,
    directoryService: new RecordDirectoryService(records, {
      ...(maxDirectoryBytes === undefined ? {} : { maxDirectoryBytes }),
      ...(memory === undefined ? {} : { memory }),
    }),
    storedBlobs: new ChunkedStoredBlobs(chunks, lists),
    get activity() {
      const chunkReads = recent.asked + recentStored.asked;
      const chunkReadsRemembered = chunkReads - recent.missed - recentStored.missed;
      return { ...counts, chunkReads, chunkReadsRemembered };
    },
    size: () => measureStore(path),
    database: records,
    inspectChunk: (digest, readsData) => chunks.inspect(digest, readsData),
    forgetDamagedChunk: (digest) => chunks.forgetDamaged(digest),
    // Not while chunks move from one pack to another.
    findLostChunks: (options) => inTurn.run("compaction", () => chunks.findLost(options)),
    openScratch: () => openScratch(path),
    // One after the other: each takes for granted that nobody else moves what it looks at.
    compact: (options) => inTurn.run("compaction", () => compact(options)),
    backup,
    check: async () => (await records.recover()) ?? (await extents.recover()),
    close,
    [Symbol.asyncDispose]: close,
  };
}
