import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  CastoreError,
  canAssemble,
  MemoryBlobService,
  MemoryDirectoryService,
  type ObservedCall,
  observedBlobService,
  observedDirectoryService,
} from "@tvix/castore";
import { fixtures, testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { expect, test } from "vitest";

const ignore = () => {};

testBlobService("observed", async () => ({
  blobService: observedBlobService(new MemoryBlobService(), ignore),
}));
testDirectoryService("observed", async () => ({
  directoryService: observedDirectoryService(new MemoryDirectoryService(), ignore),
}));

test("each call is told of when it has ended, with what came of it", async () => {
  const calls: ObservedCall[] = [];
  const inner = new MemoryBlobService();
  const blobs = observedBlobService(inner, (call) => calls.push(call));
  const taken = () => calls.splice(0).map(({ method, outcome }) => `${method} ${outcome}`);
  const bytes = fixtures.pseudoRandomBytes(1_500_000);
  const digest = await blobs.put(bytes);
  const other = B3Digest.of(Uint8Array.of(1));
  await blobs.has(digest);
  await blobs.has(other);
  await blobs.chunks(digest);
  await blobs.read(other);
  expect(taken()).toEqual(["put done", "has found", "has missing", "chunks found", "find missing"]);

  const stream = (await blobs.read(digest)) ?? [];
  expect(taken()).toEqual(["find found"]);
  await collect(stream, 2_000_000);
  expect(taken()).toEqual(["read done"]);
  for await (const _ of (await blobs.read(digest)) ?? []) break;
  expect(taken()).toEqual(["find found", "read done"]);

  inner.has = () => Promise.reject(new CastoreError("UNAVAILABLE", "out of order"));
  await expect(blobs.has(digest)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(blobs.put(bytes, { signal: AbortSignal.abort() })).rejects.toThrow();
  expect(taken()).toEqual(["has UNAVAILABLE", "put ABORTED"]);
  expect(canAssemble(blobs)).toBe(true);
});

test("times are those until the end", async () => {
  const calls: ObservedCall[] = [];
  const inner = new MemoryDirectoryService();
  let release = () => {};
  inner.get = async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return undefined;
  };
  const directories = observedDirectoryService(inner, (call) => calls.push(call));
  const started = performance.now();
  const getting = directories.get(fixtures.DIRECTORY_A.digest());
  expect(calls).toEqual([]);
  release();
  await getting;
  expect(calls).toMatchObject([{ method: "get", outcome: "missing" }]);
  expect(calls[0]?.seconds).toBeLessThanOrEqual((performance.now() - started) / 1000);
});
