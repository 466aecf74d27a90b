import { join } from "node:path";
import { useNativeBlake3 } from "@tvix/blake3-native";
import { type B3Digest, CastoreError, ChunkedBlobService, InTurn, type RecordChange } from "@tvix/castore";
import {
  ChunkedStoredBlobs,
  type CompactionOptions,
  compactExtents,
  IndexedChunkStore,
  RecordChunkListStore,
  RecordDirectoryService,
  recentChunks,
  recentStoredForms,
  removeExpiredUploads,
} from "@tvix/castore/backend";
import { databaseFailure } from "@tvix/castore-level";
import { readBackup } from "./backup.ts";
import { writeCleanEnd } from "./clean-end.ts";
import { DiskLimit } from "./disk-limit.ts";
import { Holds } from "./hold.ts";
import type { JournalSnapshot } from "./journal/journal.ts";
import { type OpenIndex, openIndex, REOPEN_BYTES } from "./open-index.ts";
import { PackExtents } from "./pack-extents.ts";
import { prepareStore } from "./prepare-store.ts";
import { openScratch } from "./scratch.ts";
import { setIndexAside } from "./set-index-aside.ts";
import { ActivityCounts, measureStore } from "./store-activity.ts";
import { storeIdOf } from "./store-id.ts";
import type { Store, StoreOptions } from "./store-options.ts";
import { zstdCodec } from "./zstd-codec.ts";
import { ZstdPool } from "./zstd-pool.ts";

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
  const id = await storeIdOf(records, index.unwritable === undefined);
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
  const holds = new Holds();
  async function* backup(...[copy, onContents, options]: Parameters<Store["backup"]>) {
    if (copy.storeId !== undefined && copy.storeId !== id) {
      throw new CastoreError(
        "ALREADY_EXISTS",
        "what is there is a copy of another store, and is left as it is",
      );
    }
    using journal = await holds.hold<JournalSnapshot>((use) =>
      inTurn.run("compaction", () => index.whileKept(use)),
    );
    for await (const part of readBackup(
      path,
      extents.directory,
      journal.value,
      copy.files,
      (files) => onContents({ storeId: id, files }),
      options,
    )) {
      if (holds.isOver) throw new CastoreError("CLOSED", "the store is closed");
      yield part;
    }
  }
  let closing: Promise<void> | undefined;
  const close = async () => {
    holds.letGo();
    closing ??= closeAll();
    await closing;
  };
  return {
    id,
    foundIndex: index.found,
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
    checkJournal: () => index.checkJournal(),
    renewJournal: () => index.renewJournal(),
    openScratch: () => openScratch(path),
    // One after the other: each takes for granted that nobody else moves what it looks at.
    compact: (options) => inTurn.run("compaction", () => compact(options)),
    backup,
    check: async () => (await records.recover()) ?? (await extents.recover()),
    close,
    [Symbol.asyncDispose]: close,
  };
}
