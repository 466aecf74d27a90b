import { type ChunkSizes, type OpenRecordStore, openRecordStore } from "@tvix/castore";
import type { AnyLevel } from "./any-level.ts";
import { Database, type DatabaseOptions } from "./database.ts";

/** How a {@link LevelStore} works. */
export interface LevelStoreOptions extends DatabaseOptions {
  /** Default: 128, 256 and 512 KiB. */
  readonly chunkSizes?: ChunkSizes;
}

/** Blobs and directories in one Level database. */
export interface LevelStore extends OpenRecordStore {
  /** What they are kept in, for services that keep theirs beside. */
  readonly database: Database;
}

/**
 * Blobs and directories in any Level database, bytes of chunks included: memory-level in
 * tests, browser-level in a browser. Where there are files, `openStore` of
 * `@tvix/castore-packs` is many times faster.
 *
 * @param level the caller opens and closes it, and no other store may use it meanwhile
 */
export async function openLevelStore(level: AnyLevel, options: LevelStoreOptions = {}): Promise<LevelStore> {
  const { chunkSizes, ...databaseOptions } = options;
  const database = new Database(level, databaseOptions);
  const store = await openRecordStore(database, chunkSizes === undefined ? {} : { chunkSizes });
  return { ...store, database };
}
