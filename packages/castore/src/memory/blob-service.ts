import { ChunkedBlobService } from "../blob/chunked-blob-service.ts";
import type { ChunkSizes } from "../chunking/parameters.ts";
import { IndexedChunkStore } from "../chunks/indexed-chunk-store.ts";
import { RecordChunkListStore } from "../records/chunk-list-store.ts";
import { MemoryRecordStore } from "../records/memory-record-store.ts";

/** Blobs in memory: for tests, browsers and short-lived data. */
export class MemoryBlobService extends ChunkedBlobService {
  constructor({ chunkSizes }: { chunkSizes?: ChunkSizes } = {}) {
    const records = new MemoryRecordStore();
    super({
      chunks: IndexedChunkStore.fresh({ records }),
      lists: new RecordChunkListStore(records),
      ...(chunkSizes === undefined ? {} : { chunkSizes }),
    });
  }
}
