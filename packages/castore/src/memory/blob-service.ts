import { ChunkedBlobService } from "../blob/chunked-blob-service.ts";
import type { ChunkSizes } from "../chunking/parameters.ts";
import { MemoryChunkListStore } from "./chunk-list-store.ts";
import { MemoryChunkStore } from "./chunk-store.ts";

/** Blobs in memory: for tests, browsers and short-lived data. */
export class MemoryBlobService extends ChunkedBlobService {
  constructor({ chunkSizes }: { chunkSizes?: ChunkSizes } = {}) {
    super({
      chunks: new MemoryChunkStore(),
      lists: new MemoryChunkListStore(),
      ...(chunkSizes === undefined ? {} : { chunkSizes }),
    });
  }
}
