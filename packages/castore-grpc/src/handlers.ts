import type { ConnectRouter } from "@connectrpc/connect";
import type { BlobService, DirectoryService, MemoryLedger, StoredBlobs } from "@tvix/castore";
import { BatchService } from "@tvix/protocol/batch";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { batchHandlers } from "./batch/handlers.ts";
import { MAX_REQUEST_BYTES } from "./batch/limits.ts";
import { blobHandlers } from "./blob-handlers.ts";
import { chunkExchangeHandlers } from "./chunk-exchange-handlers.ts";
import { directoryHandlers } from "./directory-handlers.ts";
import { blobServiceOf, directoryServiceOf, NAMESPACES } from "./namespace.ts";

/** Longest message of the exchange of chunks, in bytes: 10,000 digests. Each entry of a list becomes an object, however short. */
const MAX_EXCHANGE_BYTES = 512 << 10;

/** The services to put on the wire. */
export interface CastoreServices {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** The same blobs as they are stored, where all of them are here: short ones are read faster. */
  readonly storedBlobs?: StoredBlobs | undefined;
  /** What lists of digests and batches draw from while they are worked on. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
}

/** Serves both services under the names of tvix and of snix, batches and the exchange of chunks, on any Connect router. */
export function addCastoreRoutes(router: ConnectRouter, services: CastoreServices): ConnectRouter {
  const blobs = blobHandlers(services.blobService);
  const directories = directoryHandlers(services.directoryService);
  for (const namespace of NAMESPACES) {
    router.service(blobServiceOf(namespace), blobs);
    router.service(directoryServiceOf(namespace), directories);
  }
  router.service(BatchService, batchHandlers(services), { readMaxBytes: MAX_REQUEST_BYTES });
  router.service(ChunkExchangeService, chunkExchangeHandlers(services.blobService, services.memory), {
    readMaxBytes: MAX_EXCHANGE_BYTES,
  });
  return router;
}
