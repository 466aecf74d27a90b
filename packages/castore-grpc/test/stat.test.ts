import { createRouterTransport } from "@connectrpc/connect";
import { MemoryRecordStore, openRecordStore } from "@tvix/castore";
import { collectGarbage } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { addCastoreRoutes, GrpcBlobService } from "@tvix/castore-grpc";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const HOUR = 3_600_000;

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: 1e12 }));
afterEach(() => vi.useRealTimers());

test.each([
  ["one chunk", 100],
  ["several", 50_000],
])("a blob of %s that somebody is told of is not collected beneath them", async (_, length) => {
  const records = new MemoryRecordStore();
  const services = await openRecordStore(records, { chunkSizes: { min: 1024, avg: 2048, max: 4096 } });
  const far = new GrpcBlobService(createRouterTransport((router) => void addCastoreRoutes(router, services)));
  const look = () =>
    collectGarbage(
      {
        records,
        openScratch: async () => ({ records: new MemoryRecordStore(), remove: async () => {} }),
        markRoots: async () => {},
      },
      { graceMs: HOUR },
    );
  const bytes = fixtures.pseudoRandomBytes(length, 1);
  const digest = await far.put(bytes);
  const other = await far.put(fixtures.pseudoRandomBytes(length, 2));
  expect((await look()).condemned?.chunks).toBeGreaterThan(1);
  // They do not send it, and go on with what refers to it.
  expect(await far.has(digest)).toBe(true);
  vi.setSystemTime(1e12 + HOUR);
  await look();
  expect(await far.has(other)).toBe(false);
  const stream = await far.read(digest);
  expect(Buffer.concat(await Array.fromAsync(stream ?? [])).equals(bytes)).toBe(true);
});
