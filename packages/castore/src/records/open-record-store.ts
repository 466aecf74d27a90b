import type { BlobService } from "../blob/blob-service.ts";
import { ChunkedBlobService } from "../blob/chunked-blob-service.ts";
import type { ChunkSizes } from "../chunking/parameters.ts";
import { IndexedChunkStore } from "../chunks/indexed-chunk-store.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import { RecordChunkListStore } from "./chunk-list-store.ts";
import { RecordDirectoryService } from "./directory-service.ts";
import type { RecordStore } from "./record-store.ts";
import { removeExpiredUploads } from "./remove-expired.ts";

/** Blobs and directories as records. */
export interface OpenRecordStore {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
}

/**
 * Blobs and directories in any {@link RecordStore}, bytes of chunks included. Where there are files,
 * `openStore` of `@tvix/castore-packs` is many times faster.
 *
 * @param chunkSizes default: 128, 256 and 512 KiB
 */
export async function openRecordStore(
  records: RecordStore,
  { chunkSizes }: { readonly chunkSizes?: ChunkSizes } = {},
): Promise<OpenRecordStore> {
  // What a process left behind in the middle of an upload.
  await removeExpiredUploads(records);
  return {
    blobService: new ChunkedBlobService({
      chunks: await IndexedChunkStore.open({ records }),
      lists: new RecordChunkListStore(records),
      ...(chunkSizes === undefined ? {} : { chunkSizes }),
    }),
    directoryService: new RecordDirectoryService(records),
  };
}
