import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  CacheBlobService,
  CacheDirectoryService,
  CastoreError,
  CombinedBlobService,
  CombinedDirectoryService,
  type DirectoryService,
  MemoryBlobService,
  MemoryDirectoryService,
  MemoryRecordStore,
  openRecordStore,
  readOnlyBlobService,
  readOnlyDirectoryService,
  SingleFlight,
} from "@tvix/castore";
import { fixtures, testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { describe, expect, test } from "vitest";
import { Watched } from "./failing-services.ts";
import { plain } from "./plain-blobs.ts";

const { pseudoRandomBytes, directoryOf, directoryNode } = fixtures;
const ALL = 64 << 20;
const UNAVAILABLE = new CastoreError("UNAVAILABLE", "out of order");

/** Blobs that list no chunks. */
function unlisted(inner: BlobService): BlobService {
  return {
    ...plain(inner),
    chunks: async (digest, options) => ((await inner.has(digest, options)) ? [] : undefined),
  };
}

const memoryBlobs = () => new MemoryBlobService();
const recordBlobs = async () => (await openRecordStore(new MemoryRecordStore())).blobService;

for (const writes of ["near", "far"] as const) {
  testBlobService(`cache, puts go ${writes}`, async () => ({
    blobService: new CacheBlobService(await recordBlobs(), memoryBlobs(), { writes }),
  }));
  testBlobService(`cache in front of what lists no chunks, puts go ${writes}`, async () => ({
    blobService: new CacheBlobService(memoryBlobs(), unlisted(memoryBlobs()), { writes }),
  }));
  testBlobService(`cache that takes whole blobs only, puts go ${writes}`, async () => ({
    blobService: new CacheBlobService(plain(memoryBlobs()), memoryBlobs(), { writes }),
  }));
  testDirectoryService(`cache, puts go ${writes}`, async () => ({
    directoryService: new CacheDirectoryService(new MemoryDirectoryService(), new MemoryDirectoryService(), {
      writes,
    }),
  }));
}
testBlobService("combined", async () => ({
  blobService: new CombinedBlobService(memoryBlobs(), memoryBlobs()),
}));
testDirectoryService("combined", async () => ({
  directoryService: new CombinedDirectoryService(new MemoryDirectoryService(), new MemoryDirectoryService()),
}));

testBlobService("read-only", async () => {
  const filledThrough = memoryBlobs();
  return { blobService: readOnlyBlobService(filledThrough), filledThrough };
});
testDirectoryService("read-only", async () => {
  const filledThrough = new MemoryDirectoryService();
  return { directoryService: readOnlyDirectoryService(filledThrough), filledThrough };
});

test("what is read-only says so, and stores nothing", async () => {
  const [blobs, directories] = [memoryBlobs(), new MemoryDirectoryService()];
  const [bytes, directory] = [Buffer.from("not taken"), directoryOf({})];
  const refused = { code: "READ_ONLY" };
  await expect(readOnlyBlobService(blobs).put(bytes)).rejects.toMatchObject(refused);
  const reader = readOnlyDirectoryService(directories);
  await expect(reader.put(directory)).rejects.toMatchObject(refused);
  await expect(reader.putMany([directory])).rejects.toMatchObject(refused);
  expect(await blobs.has(B3Digest.of(bytes))).toBe(false);
  expect(await directories.get(directory.digest())).toBeUndefined();
});

async function read(service: BlobService, digest: B3Digest, options = {}): Promise<Uint8Array | undefined> {
  const stream = await service.read(digest, options);
  return stream && (await collect(stream, ALL));
}

describe("a cache of blobs", () => {
  test.each([
    ["small", 1000],
    ["of many chunks", 5_000_000],
  ])("keeps a blob near that was read, %s", async (_, length) => {
    const [near, far] = [memoryBlobs(), new Watched<BlobService>(memoryBlobs())];
    const bytes = pseudoRandomBytes(length, 1);
    const digest = await far.service.put(bytes);
    const cache = new CacheBlobService(near, far.service);
    expect(await read(cache, digest)).toEqual(bytes);
    // Each of the two has all of it.
    expect(await read(near, digest)).toEqual(bytes);
    expect((await near.chunks(digest))?.map(String)).toEqual((await far.service.chunks(digest))?.map(String));
    far.failure = UNAVAILABLE;
    expect(await read(cache, digest)).toEqual(bytes);
  });

  test("fetches only the chunks that no blob has brought yet", async () => {
    const [near, far] = [memoryBlobs(), new Watched<BlobService>(memoryBlobs())];
    const bytes = pseudoRandomBytes(3_000_000, 2);
    await near.put(bytes);
    const changed = bytes.slice();
    changed[1_500_000] = (changed[1_500_000] as number) ^ 1;
    const digest = await far.service.put(changed);
    const all = (await far.service.chunks(digest))?.length ?? 0;
    expect(all).toBeGreaterThan(8);
    far.calls["read"] = 0;
    expect(await read(new CacheBlobService(near, far.service), digest)).toEqual(changed);
    expect(far.calls["read"]).toBe(1);
    expect(await read(near, digest)).toEqual(changed);
  });

  test("who leaves early leaves the chunks, and no half of a blob", async () => {
    const [near, far] = [memoryBlobs(), new Watched<BlobService>(memoryBlobs())];
    const bytes = pseudoRandomBytes(3_000_000, 3);
    const digest = await far.service.put(bytes);
    const cache = new CacheBlobService(near, far.service);
    for await (const _ of (await cache.read(digest)) ?? []) break;
    expect(await near.has(digest)).toBe(false);
    const [first] = (await far.service.chunks(digest)) ?? [];
    expect(await near.has(first?.digest as B3Digest)).toBe(true);
    expect(await read(cache, digest)).toEqual(bytes);
    expect(await read(near, digest)).toEqual(bytes);
  });

  test("a part of a blob fetches what it touches", async () => {
    const [near, far] = [memoryBlobs(), new Watched<BlobService>(memoryBlobs())];
    const bytes = pseudoRandomBytes(5_000_000, 4);
    const digest = await far.service.put(bytes);
    const cache = new CacheBlobService(near, far.service);
    far.calls["read"] = 0;
    const part = { offset: 2_000_000, length: 10 };
    expect(await read(cache, digest, part)).toEqual(bytes.subarray(2_000_000, 2_000_010));
    expect(far.calls["read"]).toBe(1);
    expect(await read(cache, digest, part)).toEqual(bytes.subarray(2_000_000, 2_000_010));
    expect(far.calls["read"]).toBe(1);
  });

  test("many who want the same fetch each chunk once", async () => {
    const [near, far] = [memoryBlobs(), new Watched<BlobService>(memoryBlobs())];
    const bytes = pseudoRandomBytes(3_000_000, 5);
    const digest = await far.service.put(bytes);
    const chunks = (await far.service.chunks(digest))?.length;
    const cache = new CacheBlobService(near, far.service);
    far.calls["read"] = 0;
    const found = await Promise.all(Array.from({ length: 10 }, () => read(cache, digest)));
    for (const one of found) expect(one).toEqual(bytes);
    expect(far.calls["read"]).toBe(chunks);
  });

  test("what is damaged near is fetched again, also in the middle of a blob", async () => {
    const records = new MemoryRecordStore();
    const { blobService: near } = await openRecordStore(records);
    const far = memoryBlobs();
    const bytes = pseudoRandomBytes(3_000_000, 6);
    const digest = await far.put(bytes);
    await near.put(bytes);
    const third = (await near.chunks(digest))?.[2]?.digest as B3Digest;
    for await (const [key, value] of records.entries({ prefix: Uint8Array.of("c".charCodeAt(0)) })) {
      if (!Buffer.from(key).includes(Buffer.from(third.bytes))) continue;
      await records.write([
        { type: "put", key, value: value.map((byte, at) => (at === 99 ? byte ^ 1 : byte)) },
      ]);
    }
    await expect(read(near, digest)).rejects.toMatchObject({ code: "CORRUPT" });
    const failures: unknown[] = [];
    const cache = new CacheBlobService(near, far, { onNearFailure: (error) => failures.push(error) });
    expect(await read(cache, digest)).toEqual(bytes);
    expect(failures.length).toBeGreaterThan(0);
    // It is whole again.
    expect(await read(near, digest)).toEqual(bytes);
  });

  test("a near service that takes nothing keeps nobody from reading", async () => {
    const [near, far] = [new Watched<BlobService>(memoryBlobs()), memoryBlobs()];
    const bytes = pseudoRandomBytes(3_000_000, 7);
    const digest = await far.put(bytes);
    const failures: unknown[] = [];
    const cache = new CacheBlobService(near.service, far, { onNearFailure: (error) => failures.push(error) });
    near.failure = new CastoreError("NO_SPACE", "the disk is full");
    expect(await read(cache, digest)).toEqual(bytes);
    expect(await read(cache, digest, { offset: 5 })).toEqual(bytes.subarray(5));
    expect(failures.length).toBeGreaterThan(0);
  });

  test("a list with an empty chunk in it puts nothing under a wrong digest", async () => {
    const [near, far] = [memoryBlobs(), memoryBlobs()];
    const bytes = pseudoRandomBytes(2_000_000, 11);
    const digest = await far.put(bytes);
    const list = (await far.chunks(digest)) ?? [];
    const odd = [...list.slice(0, 1), { digest: B3Digest.of(new Uint8Array(0)), size: 0 }, ...list.slice(1)];
    const cache = new CacheBlobService(near, { ...plain(far), chunks: async () => odd });
    // Whether it is read or refused: what is near is what its digest says.
    await read(cache, digest).catch(() => {});
    for (const { digest: chunk } of list) {
      const found = await read(near, chunk);
      if (found !== undefined) expect(B3Digest.of(found).toHex()).toBe(chunk.toHex());
    }
  });

  test("a chunk that is longer than it is listed is not read to its end", async () => {
    const far = memoryBlobs();
    const digest = await far.put(pseudoRandomBytes(2_000_000, 12));
    const list = ((await far.chunks(digest)) ?? []).map((chunk) => ({ ...chunk, size: 1 }));
    const cache = new CacheBlobService(memoryBlobs(), { ...plain(far), chunks: async () => list });
    await expect(read(cache, digest)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  test("who leaves while a chunk is kept has not seen the near service fail", async () => {
    const [near, far] = [memoryBlobs(), memoryBlobs()];
    const digest = await far.put(pseudoRandomBytes(2_000_000, 13));
    const leaving = new AbortController();
    const slow = {
      ...plain(near),
      put: (_: unknown, { signal }: { signal?: AbortSignal } = {}) =>
        new Promise<B3Digest>((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
          leaving.abort(new Error("left"));
        }),
    };
    const failures: unknown[] = [];
    const cache = new CacheBlobService(slow, far, { onNearFailure: (error) => failures.push(error) });
    await expect(read(cache, digest, { offset: 10, signal: leaving.signal })).rejects.toThrow("left");
    await new Promise(setImmediate);
    expect(failures).toEqual([]);
  });

  test("a list of chunks that make another blob is not believed", async () => {
    const far = memoryBlobs();
    const digest = await far.put(pseudoRandomBytes(1_000_000, 8));
    const other = await far.put(pseudoRandomBytes(1_000_000, 9));
    const near = memoryBlobs();
    const lying = { ...plain(far), chunks: async () => await far.chunks(other) };
    const cache = new CacheBlobService(near, lying);
    await expect(read(cache, digest)).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
    expect(await near.has(digest)).toBe(false);
  });
});

describe("layers of blobs", () => {
  test.each([
    ["cache", CacheBlobService],
    ["combined", CombinedBlobService],
  ])("%s: one that fails hides nothing, and is told of where the other has nothing", async (_, Layers) => {
    const [near, far] = [new Watched<BlobService>(memoryBlobs()), new Watched<BlobService>(memoryBlobs())];
    const layers = new Layers(near.service, far.service);
    const digest = await far.service.put(pseudoRandomBytes(1000, 10));
    const unknown = B3Digest.of(Uint8Array.of(1));
    near.failure = UNAVAILABLE;
    expect(await layers.has(digest)).toBe(true);
    expect(await read(layers, digest)).toHaveLength(1000);
    await expect(layers.has(unknown)).rejects.toBe(UNAVAILABLE);
    await expect(layers.read(unknown)).rejects.toBe(UNAVAILABLE);
    near.failure = undefined;
    far.failure = UNAVAILABLE;
    await expect(layers.chunks(unknown)).rejects.toBe(UNAVAILABLE);
  });
});

describe("a cache of directories", () => {
  const leaf = directoryOf({});
  const tree = (count: number) => {
    const leaves = Array.from({ length: count }, (_, number) =>
      directoryOf({ [`f${number}`]: fixtures.EMPTY_FILE }),
    );
    const root = directoryOf(
      Object.fromEntries(leaves.map((one, number) => [`d${number}`, directoryNode(one)])),
    );
    return { root, all: [...leaves, root] };
  };

  test("brings a tree near with its root, in two calls", async () => {
    const [near, far] = [
      new MemoryDirectoryService(),
      new Watched<DirectoryService>(new MemoryDirectoryService()),
    ];
    const { root, all } = tree(500);
    await far.service.putMany(all);
    const cache = new CacheDirectoryService(near, far.service);
    far.calls["get"] = 0;
    expect(await Array.fromAsync(cache.getRecursive(root.digest()))).toHaveLength(501);
    expect([far.calls["get"], far.calls["getRecursive"]]).toEqual([1, 1]);
    expect(await Array.fromAsync(near.getRecursive(root.digest()))).toHaveLength(501);
  });

  test("a directory that is missing near is fetched again", async () => {
    const [near, far] = [new MemoryDirectoryService(), new MemoryDirectoryService()];
    const { root, all } = tree(3);
    await far.putMany(all);
    await near.putMany([leaf]);
    const holed = new CacheDirectoryService(
      {
        ...bound(near),
        get: async (digest) => (digest.equals(root.digest()) ? root : await near.get(digest)),
      },
      far,
    );
    expect(await Array.fromAsync(holed.getRecursive(root.digest()))).toHaveLength(4);
  });

  test("a far service without all of a tree gives what it has", async () => {
    const [near, far] = [new MemoryDirectoryService(), new MemoryDirectoryService()];
    const { root } = tree(2);
    const holed = {
      ...bound(far),
      get: async (digest: B3Digest) => (digest.equals(root.digest()) ? root : undefined),
    };
    const incomplete = {
      ...holed,
      async *getRecursive() {
        yield root;
        throw new CastoreError("INCOMPLETE", "the rest is missing");
      },
    };
    const cache = new CacheDirectoryService(near, incomplete);
    expect((await cache.get(root.digest()))?.digest().toHex()).toBe(root.digest().toHex());
    expect(await near.get(root.digest())).toBeUndefined();
  });

  test("a tree with more in it than its root says is not held in memory", async () => {
    const near = new MemoryDirectoryService();
    const small = tree(2);
    const far = {
      ...bound(near),
      get: async () => small.root,
      async *getRecursive() {
        yield small.root;
        for (let number = 0; ; number++) yield directoryOf({ [`x${number}`]: fixtures.EMPTY_FILE });
      },
    };
    const found = await new CacheDirectoryService(near, far).get(small.root.digest());
    expect(found).toBe(small.root);
    expect(await near.get(small.root.digest())).toBeUndefined();
  });

  test("many who want the same tree fetch it once", async () => {
    const far = new Watched<DirectoryService>(new MemoryDirectoryService());
    const { root, all } = tree(10);
    await far.service.putMany(all);
    const cache = new CacheDirectoryService(new MemoryDirectoryService(), far.service);
    await Promise.all(Array.from({ length: 20 }, () => cache.get(root.digest())));
    expect(far.calls["getRecursive"]).toBe(1);
  });
});

function bound(service: DirectoryService): DirectoryService {
  return {
    get: (...parameters) => service.get(...parameters),
    getRecursive: (...parameters) => service.getRecursive(...parameters),
    put: (...parameters) => service.put(...parameters),
    putMany: (...parameters) => service.putMany(...parameters),
  };
}

test("a single flight ends when all have left it, and not before", async () => {
  const flights = new SingleFlight<string>();
  const [first, second] = [new AbortController(), new AbortController()];
  const ended = Promise.withResolvers<string>();
  let begun = 0;
  const task = (signal: AbortSignal) => {
    begun++;
    signal.addEventListener("abort", () => ended.resolve("left"));
    return new Promise<string>(() => {});
  };
  const waiting = [first, second].map(({ signal }) => flights.run("key", task, signal));
  first.abort(new Error("one"));
  await expect(waiting[0]).rejects.toThrow("one");
  second.abort(new Error("two"));
  await expect(waiting[1]).rejects.toThrow("two");
  expect(await ended.promise).toBe("left");
  expect(begun).toBe(1);
  expect(await flights.run("key", async () => "again")).toBe("again");
});
