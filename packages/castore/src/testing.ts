export { type BlobServiceFixture, testBlobService } from "./testing/blob-service.ts";
export { type DirectoryServiceFixture, testDirectoryService } from "./testing/directory-service.ts";
export * as fixtures from "./testing/fixtures.ts";
