import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRouterTransport } from "@connectrpc/connect";
import { Database, openLevelStore } from "@tvix/castore/level";
import { openStore } from "@tvix/castore/node";
import { SecretKey } from "@tvix/narinfo";
import {
  CachePathInfoService,
  MemoryPathInfoService,
  type NarCalculationService,
  SigningPathInfoService,
} from "@tvix/store";
import { addStoreRoutes, GrpcPathInfoService } from "@tvix/store/grpc";
import { LevelPathInfoService } from "@tvix/store/level";
import { testPathInfoService } from "@tvix/store/testing";
import { MemoryLevel } from "memory-level";

const NO_CALCULATION: NarCalculationService = {
  calculateNar: () => Promise.reject(new Error("not part of this test")),
};

const overTheWire = (namespace: "tvix" | "snix") => {
  const services = {
    pathInfoService: new MemoryPathInfoService(),
    narCalculationService: NO_CALCULATION,
  };
  const transport = createRouterTransport((router) => addStoreRoutes(router, services));
  return new GrpcPathInfoService(transport, { namespace });
};

testPathInfoService("memory", async () => ({ pathInfoService: new MemoryPathInfoService() }));

testPathInfoService("memory-level", async () => {
  const { database } = await openLevelStore(new MemoryLevel());
  return { pathInfoService: new LevelPathInfoService(database) };
});

testPathInfoService("the index of a store", async () => {
  const path = await mkdtemp(join(tmpdir(), "store-test-"));
  const store = await openStore(path, { sync: false });
  return {
    pathInfoService: new LevelPathInfoService(store.database),
    async close() {
      await store.close();
      await rm(path, { recursive: true });
    },
  };
});

testPathInfoService("a cache in front of another", async () => ({
  pathInfoService: new CachePathInfoService(new MemoryPathInfoService(), new MemoryPathInfoService()),
}));

testPathInfoService("one that signs", async () => ({
  pathInfoService: new SigningPathInfoService(new MemoryPathInfoService(), SecretKey.generate("test-1")),
  addsSignatures: "it signs",
}));

testPathInfoService("client and handlers of tvix", async () => ({ pathInfoService: overTheWire("tvix") }));
testPathInfoService("client and handlers of snix", async () => ({ pathInfoService: overTheWire("snix") }));

testPathInfoService("a cache in front of a peer", async () => {
  const near = new LevelPathInfoService(new Database(new MemoryLevel()));
  return { pathInfoService: new CachePathInfoService(near, overTheWire("tvix")) };
});
