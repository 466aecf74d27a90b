import { BatchService } from "@tvix/protocol/batch";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { LookupService } from "@tvix/protocol/lookup";
import { MaintenanceService } from "@tvix/protocol/maintenance";
import * as snixCastore from "@tvix/protocol/snix/castore";
import * as snixStore from "@tvix/protocol/snix/store";
import * as tvixCastore from "@tvix/protocol/tvix/castore";
import * as tvixStore from "@tvix/protocol/tvix/store";
import { expect, test } from "vitest";
import { longestMessage } from "../src/calls/longest-message.ts";

const SERVICES = [
  tvixCastore.BlobService,
  tvixCastore.DirectoryService,
  tvixStore.PathInfoService,
  snixCastore.BlobService,
  snixCastore.DirectoryService,
  snixStore.PathInfoService,
  BatchService,
  ChunkExchangeService,
  LookupService,
  MaintenanceService,
];

const MOST = 32 << 20;

test("what brings something, and lists, may be long; all else is a question", () => {
  const lengths = SERVICES.flatMap((service) =>
    service.methods.map((method) => [
      `${service.typeName}/${method.name}`,
      longestMessage(method, undefined, MOST),
    ]),
  );
  const long = lengths.flatMap(([path, length]) => (length === MOST ? [path] : []));
  expect(long).toEqual([
    "tvix.castore.v1.BlobService/Put",
    "tvix.castore.v1.DirectoryService/Put",
    "tvix.store.v1.PathInfoService/Put",
    "snix.castore.v1.BlobService/Put",
    "snix.castore.v1.DirectoryService/Put",
    "snix.store.v1.PathInfoService/Put",
    "tvix_ts.castore.v1.BatchService/PutBlobs",
    "tvix_ts.castore.v1.ChunkExchangeService/FindMissing",
    "tvix_ts.castore.v1.ChunkExchangeService/Assemble",
    "tvix_store_ext.v1.LookupService/HasMany",
    "tvix_store_ext.v1.LookupService/GetMany",
    "tvix_store_ext.v1.MaintenanceService/Backup",
  ]);
  expect(lengths.filter(([, length]) => length !== MOST && length !== 64 << 10)).toEqual([]);
});

test("what a service says of itself is the most, and so is what is said of all", () => {
  for (const { methods } of SERVICES) {
    for (const method of methods) {
      expect(longestMessage(method, 1000, MOST)).toBe(1000);
      expect(longestMessage(method, undefined, 500)).toBe(500);
      expect(longestMessage(method, 2 << 20, MOST)).toBeLessThanOrEqual(2 << 20);
    }
  }
});
