import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { CastoreError, type RecordChange } from "@tvix/castore";
import { makeDirectory } from "@tvix/castore-fs";
import { Database, databaseFailure } from "@tvix/castore-level";
import { ClassicLevel } from "classic-level";
import { checkIndex } from "./check-index.ts";
import { Journal, type JournalOptions, type JournalSnapshot } from "./journal/journal.ts";
import { LevelIndex } from "./journal/journal-index.ts";
import { hasRoom } from "./pack-extents.ts";
import { standInFor, unwritableFor } from "./read-only-index.ts";

/** LevelDB keeps up to two write buffers in memory; larger ones write each byte less often. */
const WRITE_BUFFER_BYTES = 8 << 20;

/** Room on the disk that opening the index may take: it writes out what is in memory, and a new log. */
export const REOPEN_BYTES: number = 2 * WRITE_BUFFER_BYTES;

/** How an {@link OpenIndex} is opened. */
export interface OpenIndexOptions {
  /** Whether one is made where there is none. */
  readonly create: boolean;
  /** Whether writes are flushed to the disk. */
  readonly sync: boolean;
  /** Length after which a file of the journal is complete, in bytes. Default 16 MiB. */
  readonly journalBytes?: number | undefined;
  /** Called before records are written; refuses that by throwing. */
  readonly admit?: ((changes: readonly RecordChange[]) => Promise<void> | undefined) | undefined;
}

/** An index that is open. */
export interface OpenIndex {
  readonly records: Database;
  /** What it was found to be, beside its journal. */
  readonly found: Journal["found"];
  /** Why it can only be read, where that is so. */
  readonly unwritable: CastoreError | undefined;
  /** Gives back the room of records that were removed or replaced: no file has them any more. */
  compact(): Promise<void>;
  /** Reads the journal. @returns whether the index could be made from it */
  checkJournal(): Promise<boolean>;
  /** Begins the journal again, with all records that there are. */
  renewJournal(): Promise<void>;
  /** Tells which files of the journal have all records, and keeps them until `use` is done. */
  whileKept<T>(use: (snapshot: JournalSnapshot) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens the index of a store: LevelDB in its folder `index`.
 *
 * @param path folder of the store
 * @throws CastoreError LOCKED, NOT_A_STORE, CORRUPT, STORAGE_FAILURE
 */
export async function openIndex(path: string, options: OpenIndexOptions): Promise<OpenIndex> {
  try {
    const found = await checkIndex(path);
    if (!found.store && !options.create) {
      throw new CastoreError("NOT_A_STORE", `there is no store in ${path}`, { subject: path });
    }
    await makeDirectory(path);
    return await openOrStandIn(path, found.store, options);
  } catch (cause) {
    if (CastoreError.is(cause)) throw cause;
    if (rootCode(cause) === "LEVEL_LOCKED") {
      throw new CastoreError(
        "LOCKED",
        `${path} is in use by another process, or has been opened in this one`,
        { cause, subject: path },
      );
    }
    const message = rootMessage(cause);
    const isDamaged = DAMAGED.test(message);
    throw new CastoreError(
      isDamaged ? "CORRUPT" : "STORAGE_FAILURE",
      isDamaged ? `the index of ${path} is damaged: ${message}` : `${path} cannot be opened: ${message}`,
      { cause, subject: path },
    );
  }
}

/** How LevelDB says that its files are not what they should be, or not all there. */
const DAMAGED = /Corruption|IO error: .*No such file|create_if_missing/;

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** The folder of the journal, beside that of the index. */
export const JOURNAL = "journal";

/** Around all keys, which begin with letters or a tilde. */
const FIRST_KEY = Uint8Array.of(0);
const LAST_KEY = Uint8Array.of(0xff);

async function openOrStandIn(path: string, isThere: boolean, options: OpenIndexOptions): Promise<OpenIndex> {
  // By one name, however it is called: LevelDB notices by its name that this process has it open already.
  const index = join(await realpath(path), "index");
  try {
    return await openWritable(path, await openLevel(index), options);
  } catch (error) {
    const unwritable = unwritableFor(error, rootMessage(error));
    if (!isThere || unwritable === undefined) throw error;
    const standIn = await standInFor(index);
    try {
      return await openUnwritable(path, await openLevel(standIn.path), unwritable, standIn.remove);
    } catch (failure) {
      await standIn.remove();
      throw failure;
    }
  }
}

async function openWritable(path: string, level: Level, options: OpenIndexOptions): Promise<OpenIndex> {
  const { sync, journalBytes: fileBytes, admit } = options;
  const journal = await openJournalOf(path, level, { sync, mayWrite: true, fileBytes });
  const mayReopen = () => hasRoom(path, REOPEN_BYTES);
  const records = new Database(level, { mayReopen, log: journal, admit });
  return {
    records,
    found: journal.found,
    unwritable: undefined,
    async compact() {
      try {
        await level.compactRange(FIRST_KEY, LAST_KEY);
        await journal.checkpoint((task) => records.exclusively(task));
      } catch (cause) {
        throw databaseFailure(cause);
      }
    },
    checkJournal: () => journal.isWhole((task) => records.exclusively(task)),
    renewJournal: () => journal.checkpoint((task) => records.exclusively(task)),
    whileKept: (use) => journal.whileKept((task) => records.exclusively(task), use),
    async close() {
      await records.close();
      try {
        await journal.close();
        await level.close();
      } catch (cause) {
        await level.close().catch(() => {});
        throw databaseFailure(cause);
      }
    },
  };
}

async function openUnwritable(
  path: string,
  level: Level,
  unwritable: CastoreError,
  release: () => Promise<void>,
): Promise<OpenIndex> {
  const journal = await openJournalOf(path, level, { sync: false, mayWrite: false });
  const records = new Database(level, { unwritable });
  return {
    records,
    found: journal.found,
    unwritable,
    async compact() {
      throw unwritable;
    },
    checkJournal: () => journal.isWhole((task) => task()),
    async renewJournal() {
      throw unwritable;
    },
    whileKept: (use) => journal.whileKept((task) => task(), use),
    async close() {
      try {
        await records.close();
        await level.close();
      } catch (cause) {
        throw databaseFailure(cause);
      } finally {
        // What is left lies among temporary files.
        await release().catch(() => {});
      }
    },
  };
}

/** Opens the journal of an index, which is closed where that fails. */
async function openJournalOf(path: string, level: Level, options: JournalOptions): Promise<Journal> {
  try {
    return await Journal.open(join(path, JOURNAL), new LevelIndex(level), options);
  } catch (error) {
    await level.close();
    throw error;
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

function rootCode(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return error.cause === undefined ? (error as { code?: unknown }).code : rootCode(error.cause);
}

function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : rootMessage(error.cause);
}
