import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BlobService, ChunkedBlobService, type DirectoryService } from "@tvix/castore";
import {
  IndexedChunkStore,
  RecordChunkListStore,
  RecordDirectoryService,
  recentChunks,
  removeExpiredUploads,
} from "@tvix/castore/backend";
import { PackExtents } from "@tvix/castore-packs";
import { SqliteRecordStore } from "./sqlite-record-store.ts";

/** Blobs and directories in a folder. */
export interface SqliteStore {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  close(): Promise<void>;
}

/** Opens a store whose index is SQLite, and whose chunks lie in pack files, which are one process's at a time. */
export async function openSqliteStore(path: string): Promise<SqliteStore> {
  await mkdir(path, { recursive: true });
  const records = new SqliteRecordStore(join(path, "index.sqlite"));
  await removeExpiredUploads(records);
  const extents = await PackExtents.open(join(path, "packs"));
  const chunks = await IndexedChunkStore.open({ records, extents, recent: recentChunks(4 << 20) });
  return {
    blobService: new ChunkedBlobService({ chunks, lists: new RecordChunkListStore(records) }),
    directoryService: new RecordDirectoryService(records),
    close: async () => {
      await extents.close();
      await records.close();
    },
  };
}
