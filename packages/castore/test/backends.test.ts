import { MemoryBlobService, MemoryDirectoryService, MemoryRecordStore, openRecordStore } from "@tvix/castore";
import { testBlobService, testDirectoryService } from "@tvix/castore/testing";

testBlobService("memory", async () => ({ blobService: new MemoryBlobService() }));
testBlobService("records in memory", async () => await openRecordStore(new MemoryRecordStore()));

testDirectoryService("memory", async () => ({ directoryService: new MemoryDirectoryService() }));
testDirectoryService("records in memory", async () => await openRecordStore(new MemoryRecordStore()));
