export { type BlobServiceFixture, testBlobService } from "./testing/blob-service.ts";
export { type DirectoryServiceFixture, testDirectoryService } from "./testing/directory-service.ts";
export * as fixtures from "./testing/fixtures.ts";
export { type RecordStoreFixture, testRecordStore } from "./testing/record-store.ts";
