import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest, MemoryRecordStore, type RecordStore } from "@tvix/castore";
import { asItIs } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { Bucket, NearBlocks, OBJECT_EXTENTS, S3Extents, type S3ExtentsOptions } from "@tvix/castore-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CephServer, NO_CEPH, startCeph } from "../../../test/engines/ceph.ts";
import { startFailingStore } from "../../../test/engines/failing-store.ts";
import { temporaryDirectory } from "../../../test/temporary.ts";

if (NO_CEPH !== undefined) console.warn(`skipped: ${NO_CEPH}`);

describe.skipIf(NO_CEPH !== undefined)("extents that several processes use", () => {
  let ceph: CephServer;
  beforeAll(async () => {
    ceph = await startCeph();
  });
  afterAll(async () => await ceph?.[Symbol.asyncDispose]());

  const open = (address: string, records: RecordStore, options: Partial<S3ExtentsOptions> = {}) =>
    S3Extents.open(address, { records, credentials: ceph.credentials, ...options });

  test("an object that becomes whole while it is about to be given up stays", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress();
    await using one = await open(address, records).then(disposable);
    const other = await open(
      address,
      interruptedAtSeal(records, async () => void (await done)),
    );
    const chunk = testChunk(60_000, 1);
    const done = one.append(chunk.digest, encoded(chunk));
    await expect.poll(() => OBJECT_EXTENTS.count(records)).toBe(1);
    expect(await other.removeAbandoned(-60_000)).toBe(0);
    const location = await done;
    expect((await one.readIntact(chunk.digest, location)).payload).toEqual(chunk.bytes);
    await one.check(chunk.digest, location);
    await other.close();
  });

  test("what is left of a pack that failed goes when the object store is back", async () => {
    const records = new MemoryRecordStore();
    await using failing = await startFailingStore(ceph.port, Math.random, ["busy"]);
    const address = ceph.freshAddress(failing.port);
    await using extents = await open(address, records, { attempts: 1, silentMs: 500 }).then(disposable);
    failing.failures = 1;
    const chunk = testChunk(60_000, 1);
    await expect(extents.append(chunk.digest, encoded(chunk))).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    // It has tried to remove it at once.
    await expect.poll(() => failing.counts.busy).toBeGreaterThan(1);
    expect(await OBJECT_EXTENTS.count(records)).toBe(1);
    failing.failures = 0;
    expect(await extents.removeAbandoned(-60_000)).toBe(1);
    expect(await OBJECT_EXTENTS.count(records)).toBe(0);
    const again = await extents.append(chunk.digest, encoded(chunk));
    expect((await extents.readIntact(chunk.digest, again)).payload).toEqual(chunk.bytes);
  });

  test("what is nearby of an extent that another process has retired goes", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress();
    const folder = await temporaryDirectory();
    await using one = await open(address, records).then(disposable);
    const near = await NearBlocks.open(folder, 10 << 20);
    await using other = await open(address, records, { near }).then(disposable);
    const chunk = testChunk(60_000, 1);
    const location = await one.append(chunk.digest, encoded(chunk));
    await other.readIntact(chunk.digest, location);
    await near.settle();
    expect(await readdir(folder)).toHaveLength(1);
    await one.retire(location.extent);
    await other.refresh();
    expect(await readdir(folder)).toEqual([]);
    await expect(other.readIntact(chunk.digest, location)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  test("a file nearby that is damaged, cut or gone is fetched again, and the folder stays within its size", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress();
    const folder = join(await temporaryDirectory(), "near");
    await mkdir(folder);
    await writeFile(join(folder, "00000001-0.1234.part"), "half");
    await using writing = await open(address, records).then(disposable);
    const chunks = Array.from({ length: 12 }, (_, seed) => testChunk(1_500_000, seed + 1));
    const locations = await Promise.all(chunks.map((one) => writing.append(one.digest, encoded(one))));
    const readAll = async () => {
      const near = await NearBlocks.open(folder, 8 << 20);
      // Memory for one block: all others come from the files.
      const extents = await open(address, records, { near, memoryBytes: 0 });
      for (const [index, { digest, bytes }] of chunks.entries()) {
        const location = locations[index];
        if (location === undefined) throw new Error("a chunk has no place");
        expect(Buffer.compare((await extents.readIntact(digest, location)).payload, bytes)).toBe(0);
        await near.settle();
      }
      expect(near.bytes).toBeLessThanOrEqual(8 << 20);
      await extents.close();
      return extents.requests;
    };
    await readAll();
    const names = await readdir(folder);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => name.endsWith(".part"))).toEqual([]);
    for (const [index, name] of names.entries()) {
      const file = await readFile(join(folder, name));
      if (index % 3 === 0) file[1000] = (file[1000] ?? 0) ^ 1;
      await writeFile(join(folder, name), index % 3 === 1 ? file.subarray(0, 500) : file);
    }
    await readAll();
  });

  test("answers that break off while a store is opened are asked for again", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress();
    await (await open(address, records)).close();
    for (const fault of ["cut answer", "lost answer", "busy"] as const) {
      let left = 3;
      // Of a request that fails, the second number tells how.
      await using failing = await startFailingStore(ceph.port, () => (left-- > 0 ? 0 : 0.99), [fault]);
      failing.failures = 0.5;
      const through = address.replace(String(ceph.port), String(failing.port));
      await (await open(through, records)).close();
      expect(failing.counts[fault]).toBe(2);
    }
  });

  test("a bucket that is gone for a moment makes nothing count as missing", async () => {
    const records = new MemoryRecordStore();
    const address = ceph.freshAddress().replace("tvix-test", "tvix-away");
    await expect(open(address, records)).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    const bucket = new Bucket(address, { credentials: ceph.credentials });
    await expect(bucket.lengthOf("packs/00000001")).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    await expect(bucket.get("packs/00000001", 0, 10)).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    bucket.close();
    const there = new Bucket(ceph.freshAddress(), { credentials: ceph.credentials });
    expect(await there.lengthOf("packs/00000001")).toBeUndefined();
    await there.put("a", new Uint8Array(7));
    expect(await there.lengthOf("a")).toBe(7);
    there.close();
  });
});

function testChunk(length: number, seed: number) {
  const bytes = fixtures.pseudoRandomBytes(length, seed);
  return { digest: B3Digest.of(bytes), bytes };
}

function encoded({ bytes }: { readonly bytes: Uint8Array }) {
  return asItIs(bytes);
}

/** Records in which something is waited for in front of the first write that seals an extent. */
function interruptedAtSeal(records: MemoryRecordStore, meanwhile: () => Promise<void>): RecordStore {
  return new Proxy(records, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      if (name !== "write") return value.bind(target);
      return async (...args: Parameters<RecordStore["write"]>) => {
        const [key] = args[0].map((change) => change.key);
        if (key?.[0] === "e".charCodeAt(0)) await meanwhile();
        return await target.write(...args);
      };
    },
  });
}

function disposable(extents: S3Extents): S3Extents & AsyncDisposable {
  return Object.assign(extents, { [Symbol.asyncDispose]: () => extents.close() });
}
