import { join } from "node:path";
import { CastoreError } from "@tvix/castore";
import { makeDirectory } from "@tvix/castore-fs";
import { Database } from "@tvix/castore-level";
import { ClassicLevel } from "classic-level";
import { checkIndex } from "./check-index.ts";
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
}

/** An index that is open. */
export interface OpenIndex {
  readonly records: Database;
  /** Why it can only be read, where that is so. */
  readonly unwritable: CastoreError | undefined;
  /** Gives back the room of records that were removed or replaced. */
  compact(): Promise<void>;
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
      throw new CastoreError("LOCKED", `${path} is in use by another process`, { cause, subject: path });
    }
    throw new CastoreError("STORAGE_FAILURE", `${path} cannot be opened: ${rootMessage(cause)}`, {
      cause,
      subject: path,
    });
  }
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;

async function openOrStandIn(path: string, isThere: boolean, { sync }: OpenIndexOptions): Promise<OpenIndex> {
  const index = join(path, "index");
  try {
    const level = await openLevel(index);
    const mayReopen = () => hasRoom(path, REOPEN_BYTES);
    return opened(level, new Database(level, { sync, mayReopen }), undefined);
  } catch (error) {
    const unwritable = unwritableFor(error, rootMessage(error));
    if (!isThere || unwritable === undefined) throw error;
    const standIn = await standInFor(index);
    try {
      const level = await openLevel(standIn.path);
      return opened(level, new Database(level, { sync, unwritable }), unwritable, standIn.remove);
    } catch (failure) {
      await standIn.remove();
      throw failure;
    }
  }
}

/** Around all keys, which begin with letters or a tilde. */
const FIRST_KEY = Uint8Array.of(0);
const LAST_KEY = Uint8Array.of(0xff);

function opened(
  level: Level,
  records: Database,
  unwritable: CastoreError | undefined,
  release: () => Promise<void> = async () => {},
): OpenIndex {
  const close = async () => {
    try {
      await records.close();
      await level.close();
    } finally {
      await release();
    }
  };
  const compact = () => level.compactRange(FIRST_KEY, LAST_KEY);
  return { records, unwritable, compact, close };
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
