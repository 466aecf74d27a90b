import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { useNativeBlake3 } from "@tvix/blake3-native";
import {
  type BlobService,
  CastoreError,
  ChunkedBlobService,
  type ChunkSizes,
  type DirectoryService,
  type MemoryLedger,
  type StoredBlobs,
} from "@tvix/castore";
import {
  ChunkedStoredBlobs,
  RecordChunkListStore,
  RecordDirectoryService,
  removeExpiredUploads,
} from "@tvix/castore/backend";
import { makeDirectory } from "@tvix/castore-fs";
import { Database } from "@tvix/castore-level";
import { ClassicLevel } from "classic-level";
import { checkIndex } from "./check-index.ts";
import { PackChunkStore } from "./chunk-store.ts";
import { forgetCleanEnd, readCleanEnd, writeCleanEnd } from "./clean-end.ts";
import { checkFormat, writeFormat } from "./format.ts";
import { PackAppender } from "./pack-appender.ts";
import { PackDirectory } from "./pack-directory.ts";
import { PackReader } from "./pack-reader.ts";
import { standInFor, unwritableFor } from "./read-only-index.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { isDiskFull, storageFailure } from "./storage-failure.ts";
import { ActivityCounts, measureStore, type StoreActivity, type StoreSize } from "./store-activity.ts";
import { zstdCodec } from "./zstd-codec.ts";
import { ZstdPool } from "./zstd-pool.ts";

/** How a {@link Store} works. */
export interface StoreOptions {
  /** Whether a store is made where there is none. Default true. */
  readonly create?: boolean;
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
   * Why nothing can be stored at present, such as a full disk; undefined while all is well. Tries
   * to make it possible again.
   */
  check(): Promise<CastoreError | undefined>;
  /** Finishes what is being written and closes the database; calls after it fail with CLOSED. */
  close(): Promise<void>;
}

/** LevelDB keeps up to two write buffers in memory; larger ones write each byte less often. */
const WRITE_BUFFER_BYTES = 8 << 20;

/** How often unfinished uploads are looked for whose lease has expired, in milliseconds. */
const SWEEP_MS = 3_600_000;

/** Room on the disk that opening the index may take: it writes out what is in memory, and a new log. */
const REOPEN_BYTES = 2 * WRITE_BUFFER_BYTES;

/**
 * Opens the store in a folder, and makes it where there is none: LevelDB in `index`, chunks
 * in pack files in `packs`. `docs/storage-format.md` describes both.
 *
 * After a crash nothing needs to be done: what was acknowledged is there. Where all of `index` is
 * missing beside packs, their chunks are indexed anew, and that goes on with the next process when
 * this one ends before.
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
  const { sync = true, compressionLevel = 3, packBytes = 256 << 20, chunkSizes, create = true } = options;
  const { level, unwritable, release } = await openIndex(path, create);
  try {
    if (unwritable !== undefined)
      options.onNotice?.(`${path}: ${unwritable.message}, it is opened for reading`);
    const mayReopen = async () => unwritable === undefined && (await hasRoom(path, REOPEN_BYTES));
    const database = new Database(level, { sync, mayReopen, unwritable });
    const packs = new PackDirectory(join(path, "packs"));
    const packNumbers = await packs.open();
    if ((await checkFormat(database)) === "new") {
      const chunks = await rebuildIndex(packs, packNumbers, database);
      if (chunks > 0) options.onNotice?.(rebuilt(path, chunks));
      await writeFormat(database);
    }
    const lists = new RecordChunkListStore(database);
    if (unwritable === undefined) await removeExpiredUploads(database);

    const appender = new PackAppender(packs, packNumbers.at(-1) ?? 0, { packBytes, sync });
    if (unwritable === undefined) {
      await resumeNewestPack(appender, packs, packNumbers, database, packBytes);
    }
    const reader = new PackReader(packs);
    const pool = new ZstdPool(compressionLevel);
    const counts = new ActivityCounts();
    const chunks = await PackChunkStore.open({
      records: database,
      appender,
      reader,
      codec: zstdCodec(pool),
      counts,
    });
    const blobService = new ChunkedBlobService({
      chunks,
      lists,
      ...(chunkSizes === undefined ? {} : { chunkSizes }),
      memory: options.memory,
      onChunkPut: (bytes) => {
        counts.chunkBytesPut += bytes;
      },
    });
    // Whoever has it open for long sees leases expire; what cannot be removed now is next time.
    const sweep = () => void removeExpiredUploads(database).catch(() => {});
    const sweeping = unwritable === undefined ? setInterval(sweep, SWEEP_MS).unref() : undefined;
    let closing: Promise<void> | undefined;
    const close = async () => {
      clearInterval(sweeping);
      closing ??= closeAll({ level, database, appender, reader, pool }).finally(release);
      await closing;
    };
    return {
      blobService,
      directoryService: new RecordDirectoryService(database, options),
      storedBlobs: new ChunkedStoredBlobs(chunks, lists),
      get activity() {
        const { all, remembered } = chunks.reads;
        return { ...counts, chunkReads: all, chunkReadsRemembered: remembered };
      },
      size: () => measureStore(path),
      database,
      check: async () => (await database.recover()) ?? (await appendFailure(path, appender)),
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await level.close();
    await release();
    throw error;
  }
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** An index that is open. */
interface OpenIndex {
  readonly level: Level;
  /** Why it can only be read, where that is so. */
  readonly unwritable: CastoreError | undefined;
  /** To be called when it has been closed. */
  release(): Promise<void>;
}

async function openIndex(path: string, create: boolean): Promise<OpenIndex> {
  try {
    const found = await checkIndex(path);
    if (!found.store && !create) {
      throw new CastoreError("NOT_A_STORE", `there is no store in ${path}`, { subject: path });
    }
    await makeDirectory(path);
    try {
      return { level: await openLevel(join(path, "index")), unwritable: undefined, release: async () => {} };
    } catch (error) {
      const unwritable = unwritableFor(error, rootMessage(error));
      if (!found.store || unwritable === undefined) throw error;
      const standIn = await standInFor(join(path, "index"));
      const level = await openLevel(standIn.path).catch(async (failure) => {
        await standIn.remove();
        throw failure;
      });
      return { level, unwritable, release: standIn.remove };
    }
  } catch (cause) {
    if (CastoreError.is(cause)) throw cause;
    if (rootCode(cause) === "LEVEL_LOCKED") {
      throw new CastoreError("LOCKED", `${path} is in use by another process`, { cause, subject: path });
    }
    throw new CastoreError("STORAGE_FAILURE", `${path} cannot be opened: ${rootMessage(cause)}`, {
      cause,
      subject: path,
    });
  }
}

async function openLevel(path: string): Promise<Level> {
  const level: Level = new ClassicLevel(path, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await level.open();
  return level;
}

async function hasRoom(path: string, bytes: number): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize >= bytes;
  } catch {
    // A disk of which nothing can be learnt is not one to write to.
    return false;
  }
}

/** Why nothing can be appended to packs, as far as the last attempt tells; a disk with room again is well. */
async function appendFailure(path: string, appender: PackAppender): Promise<CastoreError | undefined> {
  const { failure } = appender;
  if (failure === undefined) return undefined;
  if (isDiskFull(failure) && (await hasRoom(path, REOPEN_BYTES))) {
    appender.forgive();
    return undefined;
  }
  return storageFailure("written", failure);
}

function rebuilt(path: string, chunks: number): string {
  return (
    `the index of ${path} was missing: ${chunks} chunks were found in its packs and indexed again; ` +
    "directories, path infos and the lists of long files are lost, and come back when they are stored again"
  );
}

/** Appends to the newest pack only when the last process left it complete. */
async function resumeNewestPack(
  appender: PackAppender,
  packs: PackDirectory,
  packNumbers: readonly number[],
  database: Database,
  packBytes: number,
): Promise<void> {
  const newest = packNumbers.at(-1);
  const clean = await readCleanEnd(database);
  if (clean === undefined) return;
  await forgetCleanEnd(database);
  if (newest === undefined || clean.pack !== newest || clean.end >= packBytes) return;
  const handle = await packs.openPack(newest, "r+");
  if ((await handle.stat()).size === clean.end) appender.resume(handle, clean.end);
  else await handle.close();
}

/** What an open store holds. */
interface OpenParts {
  readonly level: Level;
  readonly database: Database;
  readonly appender: PackAppender;
  readonly reader: PackReader;
  readonly pool: ZstdPool;
}

async function closeAll({ level, database, appender, reader, pool }: OpenParts): Promise<void> {
  await pool.close();
  const end = await appender.close();
  // Where the mark cannot be written, the next process begins a new pack, and nothing is lost.
  if (end !== undefined) await writeCleanEnd(database, end).catch(() => {});
  await database.close();
  await reader.close();
  await level.close();
}

function rootCode(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return error.cause === undefined ? (error as { code?: unknown }).code : rootCode(error.cause);
}

function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : rootMessage(error.cause);
}
