import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRouterTransport } from "@connectrpc/connect";
import { EMPTY_DIGEST, MemoryRecordStore } from "@tvix/castore";
import { fixtures as castore } from "@tvix/castore/testing";
import { Database, openLevelStore } from "@tvix/castore-level";
import { openStore } from "@tvix/castore-packs";
import { SecretKey } from "@tvix/narinfo";
import { DIGEST_LENGTHS, type HashAlgorithm, NixHash } from "@tvix/nix-compat";
import {
  AdditivePathInfoService,
  CachePathInfoService,
  CombinedPathInfoService,
  IndexingPathInfoService,
  MemoryPathInfoService,
  type NarCalculationService,
  observedPathInfoService,
  type PathInfo,
  ReferencesPathInfoService,
  readOnlyPathInfoService,
  SigningPathInfoService,
  TrustingPathInfoService,
} from "@tvix/store";
import { addStoreRoutes, GrpcPathInfoService } from "@tvix/store/grpc";
import { RecordNarCalculation, RecordNarIndex, RecordPathInfoService } from "@tvix/store/records";
import { fixtures, testPathInfoService } from "@tvix/store/testing";
import { MemoryLevel } from "memory-level";
import { expect, test, vi } from "vitest";
import { createHasher as createNative } from "../src/hash/hasher-node.ts";
import { createHasher as createPortable } from "../src/hash/hasher-portable.ts";
import { signedPathInfos } from "./signed-path-infos.ts";

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

testPathInfoService("records in memory", async () => ({
  pathInfoService: new RecordPathInfoService(new MemoryRecordStore()),
}));

testPathInfoService("memory-level", async () => {
  const { database } = await openLevelStore(new MemoryLevel());
  return { pathInfoService: new RecordPathInfoService(database) };
});

testPathInfoService("the index of a store", async () => {
  const path = await mkdtemp(join(tmpdir(), "store-test-"));
  const store = await openStore(path, { sync: false });
  return {
    pathInfoService: new RecordPathInfoService(store.database),
    async close() {
      await store.close();
      await rm(path, { recursive: true });
    },
  };
});

for (const writes of ["near", "far"] as const) {
  testPathInfoService(`a cache in front of another, puts go ${writes}`, async () => ({
    pathInfoService: new CachePathInfoService(new MemoryPathInfoService(), new MemoryPathInfoService(), {
      writes,
      missingMs: 60_000,
    }),
  }));
}

testPathInfoService("two combined", async () => ({
  pathInfoService: new CombinedPathInfoService(new MemoryPathInfoService(), new MemoryPathInfoService()),
}));

testPathInfoService("one that signs", async () => ({
  pathInfoService: new SigningPathInfoService(new MemoryPathInfoService(), [
    SecretKey.generate("test-1"),
    SecretKey.generate("test-2"),
  ]),
  addsSignatures: "it signs",
}));

testPathInfoService("observed", async () => ({
  pathInfoService: observedPathInfoService(new MemoryPathInfoService(), () => {}),
}));

testPathInfoService("one that holds what principals may do", async () => ({
  pathInfoService: new AdditivePathInfoService(new MemoryPathInfoService()),
}));

testPathInfoService("one that asks for references", async () => {
  // None refers to what is not there.
  const alone = (info: PathInfo) => ({
    ...info,
    references: info.references.filter(info.storePath.equals.bind(info.storePath)),
  });
  return {
    pathInfoService: new ReferencesPathInfoService(new MemoryPathInfoService()),
    pathInfos: {
      directory: alone(fixtures.PATH_INFO),
      link: alone(fixtures.PATH_INFO_SYMLINK),
      full: (number) => alone(fixtures.fullPathInfo(number)),
    },
  };
});

testPathInfoService("one that asks for signatures", async () => {
  const key = SecretKey.generate("trusted-1");
  const { services, pathInfos } = await signedPathInfos(key);
  const pathInfoService = new TrustingPathInfoService(new MemoryPathInfoService(), [key.publicKey], services);
  return { pathInfoService, pathInfos };
});

testPathInfoService("read-only", async () => {
  const filledThrough = new MemoryPathInfoService();
  return { pathInfoService: readOnlyPathInfoService(filledThrough), filledThrough };
});

testPathInfoService("one that indexes NARs", async () => {
  const records = new MemoryRecordStore();
  const stored = new RecordPathInfoService(records);
  return { pathInfoService: new IndexingPathInfoService(stored, new RecordNarIndex(records)) };
});

testPathInfoService("client and handlers of tvix", async () => ({ pathInfoService: overTheWire("tvix") }));
testPathInfoService("client and handlers of snix", async () => ({ pathInfoService: overTheWire("snix") }));

testPathInfoService("a cache in front of a peer", async () => {
  const near = new RecordPathInfoService(new Database(new MemoryLevel()));
  return { pathInfoService: new CachePathInfoService(near, overTheWire("tvix")) };
});

test("a get costs one read of the database", async () => {
  const level = new MemoryLevel<string, string>();
  const database = new Database(level);
  const service = new RecordPathInfoService(database);
  await service.put(fixtures.PATH_INFO_SYMLINK);
  const get = vi.spyOn(database, "get");
  const entries = vi.spyOn(database, "entries");
  expect(await service.get(fixtures.DUMMY_PATH.digest)).toBeDefined();
  expect(get).toHaveBeenCalledTimes(1);
  expect(entries).not.toHaveBeenCalled();
});

test("a damaged record is reported, not served", async () => {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: "view", valueEncoding: "view" });
  const service = new RecordPathInfoService(new Database(level));
  await service.put(fixtures.PATH_INFO_SYMLINK);
  for await (const [key, value] of level.iterator()) {
    for (let at = 0; at < value.length; at++) {
      const damaged = value.slice();
      damaged[at] = (damaged[at] as number) ^ 0x10;
      await level.put(key, damaged);
      await expect(service.get(fixtures.DUMMY_PATH.digest)).rejects.toMatchObject({ code: "CORRUPT" });
      await expect(Array.fromAsync(service.list())).rejects.toMatchObject({ code: "CORRUPT" });
    }
  }
});

test("what was calculated is kept, and calculated anew when it is damaged", async () => {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: "view", valueEncoding: "view" });
  const summary = { narSize: 128, narHash: NixHash.from("sha256", new Uint8Array(32).fill(5)) };
  const calculateNar = vi.fn(async () => summary);
  const service = new RecordNarCalculation(new Database(level), { calculateNar });
  const file = { type: "file", digest: EMPTY_DIGEST, size: 0n, executable: false } as const;
  for (let times = 0; times < 3; times++) {
    const found = await service.calculateNar(file);
    expect([found.narSize, String(found.narHash)]).toEqual([128, String(summary.narHash)]);
  }
  expect(calculateNar).toHaveBeenCalledTimes(1);
  await service.calculateNar({ ...file, executable: true });
  await service.calculateNar({ ...file, size: 1n });
  expect(calculateNar).toHaveBeenCalledTimes(3);
  for await (const [key, value] of level.iterator())
    await level.put(
      key,
      value.map((byte) => byte ^ 1),
    );
  await service.calculateNar(file);
  expect(calculateNar).toHaveBeenCalledTimes(4);
});

test("both hashers agree", () => {
  for (const algorithm of Object.keys(DIGEST_LENGTHS) as HashAlgorithm[]) {
    const [native, portable] = [createNative(algorithm), createPortable(algorithm)];
    for (const length of [0, 1, 1000]) {
      for (const hasher of [native, portable]) hasher.update(castore.pseudoRandomBytes(length));
    }
    expect(portable.digest()).toEqual(native.digest());
  }
});
