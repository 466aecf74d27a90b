import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRouterTransport } from "@connectrpc/connect";
import { MemoryBlobService, MemoryDirectoryService, MemoryRecordStore, openRecordStore } from "@tvix/castore";
import { addCastoreRoutes, GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore/grpc";
import { openLevelStore } from "@tvix/castore/level";
import { openStore } from "@tvix/castore/node";
import { testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { MemoryLevel } from "memory-level";

async function temporaryStore(options: Parameters<typeof openStore>[1]) {
  const path = await mkdtemp(join(tmpdir(), "castore-"));
  const store = await openStore(path, options);
  const close = async () => {
    await store.close();
    await rm(path, { recursive: true });
  };
  return { ...store, close };
}

/** A client and a server in one process, with everything in between but the socket. */
function throughRouter(namespace: Namespace) {
  const services = { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
  const transport = createRouterTransport((router) => {
    addCastoreRoutes(router, services);
  });
  return {
    blobService: new GrpcBlobService(transport, { namespace }),
    directoryService: new GrpcDirectoryService(transport, { namespace }),
  };
}

testBlobService("memory", async () => ({ blobService: new MemoryBlobService() }));
testBlobService("records in memory", async () => await openRecordStore(new MemoryRecordStore()));
testBlobService("memory-level", async () => await openLevelStore(new MemoryLevel()));
testBlobService("packs, with sync", async () => await temporaryStore({ sync: true }));
testBlobService("packs of 1 MiB, without sync", async () =>
  temporaryStore({ sync: false, packBytes: 1 << 20 }),
);

testDirectoryService("memory", async () => ({ directoryService: new MemoryDirectoryService() }));
testDirectoryService("records in memory", async () => await openRecordStore(new MemoryRecordStore()));
testDirectoryService("memory-level", async () => await openLevelStore(new MemoryLevel()));
testDirectoryService("LevelDB", async () => await temporaryStore({ sync: true }));

for (const namespace of ["tvix", "snix"] as const) {
  testBlobService(`client of ${namespace}`, async () => throughRouter(namespace));
  testDirectoryService(`client of ${namespace}`, async () => throughRouter(namespace));
}
