import type { BlobService } from "../blob/blob-service.ts";
import { ChunkedBlobService } from "../blob/chunked-blob-service.ts";
import type { ChunkSizes } from "../chunking/parameters.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import { LevelChunkListStore } from "./chunk-list-store.ts";
import { LevelChunkStore } from "./chunk-store.ts";
import { type AnyLevel, Database, type DatabaseOptions } from "./database.ts";
import { LevelDirectoryService } from "./directory-service.ts";
import { removeAllStaged } from "./directory-staging.ts";

/** How a {@link LevelStore} works. */
export interface LevelStoreOptions extends DatabaseOptions {
  /** Default: 128, 256 and 512 KiB. */
  readonly chunkSizes?: ChunkSizes;
}

/** Blobs and directories in one Level database. */
export interface LevelStore {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** What they are kept in, for services that keep theirs beside. */
  readonly database: Database;
}

/**
 * Blobs and directories in any Level database, bytes of chunks included: memory-level in
 * tests, browser-level in a browser. Where there are files, `openStore` of
 * `@tvix/castore/node` is many times faster.
 *
 * @param level the caller opens and closes it, and no other store may use it meanwhile
 */
export async function openLevelStore(level: AnyLevel, options: LevelStoreOptions = {}): Promise<LevelStore> {
  const { chunkSizes, ...databaseOptions } = options;
  const database = new Database(level, databaseOptions);
  const lists = new LevelChunkListStore(database);
  // What a process left behind in the middle of an upload.
  await lists.removeUnfinished();
  await removeAllStaged(database);
  return {
    blobService: new ChunkedBlobService({
      chunks: await LevelChunkStore.open(database),
      lists,
      ...(chunkSizes === undefined ? {} : { chunkSizes }),
    }),
    directoryService: new LevelDirectoryService(database),
    database,
  };
}
