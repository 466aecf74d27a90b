import { type B3Digest, ChunkedBlobService, type OperationOptions, type RecordStore } from "@tvix/castore";
import {
  ChunkedStoredBlobs,
  type CompactionOptions,
  type CompactionReport,
  compactExtents,
  type Extents,
  IndexedChunkStore,
  RecordChunkListStore,
  RecordDirectoryService,
  recentChunks,
  recentStoredForms,
  type Scratch,
} from "@tvix/castore/backend";
import { ActivityCounts, type StoreActivity } from "./store-activity.ts";
import type { ServedStoreOptions, Store } from "./store-options.ts";
import { zstdCodec } from "./zstd-codec.ts";
import { ZstdPool } from "./zstd-pool.ts";

/** What compaction does where chunks are records. */
const NOTHING_DONE: CompactionReport = { retired: 0, freedBytes: 0, damaged: 0 };

/** Bytes of chunks, and of their stored forms, that are remembered after they were read. */
const RECENT_CHUNK_BYTES = 4 << 20;
const RECENT_STORED_BYTES = 8 << 20;

/** Where a store lies. */
export interface StorePlaces {
  readonly records: RecordStore;
  /** Default: chunks are records, however long they are. */
  readonly extents: Extents | undefined;
  readonly openScratch: () => Promise<Scratch>;
  /** Told of bytes that are about to be stored. May refuse by throwing. */
  readonly onStored?: (storedLength: number) => Promise<void> | undefined;
  /** Whether other processes use the same records and extents. Default false. */
  readonly shared?: boolean;
  /** How far is read ahead, and how much is written at once. Default: as suits a disk. */
  readonly distance?: {
    readonly chunksAhead: number;
    readonly readAheadBytes: number;
    readonly inFlightBytes: number;
    /** Longest stored form that is kept in the record itself, in bytes. */
    readonly inlineBytes: number;
  };
}

/** What a store is, wherever it lies. */
type StoreCore = Pick<
  Store,
  | "blobService"
  | "directoryService"
  | "storedBlobs"
  | "database"
  | "inspectChunk"
  | "forgetDamagedChunk"
  | "openScratch"
>;

/** The part of a store that does not depend on where it lies. */
export interface ServedChunks {
  readonly core: StoreCore;
  /** What it has done so far. */
  activity(): StoreActivity;
  /** As {@link Store.findLostChunks}; {@link compact} may not run meanwhile. */
  findLostChunks(options?: OperationOptions): Promise<number>;
  /** Gives back the room of extents. */
  compact(options?: CompactionOptions): Promise<CompactionReport>;
  /** Asks what other processes have found damaged, or written anew. */
  refresh(): Promise<void>;
  /** Ends compression; what is left of that fails. */
  close(): Promise<void>;
}

/** Blobs and directories over records and extents, chunks compressed with zstd. */
export async function serveChunks(
  { records, extents, openScratch, onStored, shared, distance }: StorePlaces,
  { compressionLevel = 3, chunkSizes, maxDirectoryBytes, memory }: ServedStoreOptions,
): Promise<ServedChunks> {
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
    ...(shared === undefined ? {} : { shared }),
    ...(distance === undefined ? {} : { inlineBytes: distance.inlineBytes }),
    onWrite: async (size, storedLength) => {
      await onStored?.(storedLength);
      counts.chunkBytesNew += size;
      counts.chunkBytesStored += storedLength;
    },
  });
  const blobService = new ChunkedBlobService({
    chunks,
    lists,
    ...(chunkSizes === undefined ? {} : { chunkSizes }),
    ...distance,
    memory,
    onChunkPut: (bytes) => {
      counts.chunkBytesPut += bytes;
    },
  });
  const core: StoreCore = {
    blobService,
    directoryService: new RecordDirectoryService(records, {
      ...(maxDirectoryBytes === undefined ? {} : { maxDirectoryBytes }),
      ...(memory === undefined ? {} : { memory }),
    }),
    storedBlobs: new ChunkedStoredBlobs(chunks, lists),
    database: records,
    inspectChunk: (digest, readsData) => chunks.inspect(digest, readsData),
    forgetDamagedChunk: (digest) => chunks.forgetDamaged(digest),
    openScratch,
  };
  const onDamaged = (digest: B3Digest, record: Uint8Array) => chunks.noteDamage(digest, record);
  const settle = () => chunks.settle();
  const compaction = extents && { records, extents, settle, openScratch, onDamaged };
  return {
    core,
    activity() {
      const chunkReads = recent.asked + recentStored.asked;
      const chunkReadsRemembered = chunkReads - recent.missed - recentStored.missed;
      return { ...counts, chunkReads, chunkReadsRemembered };
    },
    findLostChunks: (options) => chunks.findLost(options),
    async compact(options) {
      return compaction === undefined ? NOTHING_DONE : await compactExtents(compaction, options);
    },
    refresh: () => chunks.refresh(),
    close: () => pool.close(),
  };
}
