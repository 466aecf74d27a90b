export { type BlobServiceFixture, testBlobService } from "./testing/blob-service.ts";
export { type ChunkStoreFixture, testChunkStore } from "./testing/chunk-store.ts";
export { type DirectoryServiceFixture, testDirectoryService } from "./testing/directory-service.ts";
export { type ExtentsFixture, testExtents } from "./testing/extents.ts";
export * as fixtures from "./testing/fixtures.ts";
export { type ClosableServices, type LifeCycleFixture, testLifeCycle } from "./testing/life-cycle.ts";
export { type RecordStoreFixture, testRecordStore } from "./testing/record-store.ts";
