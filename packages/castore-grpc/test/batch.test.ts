import { readdir, readFile, writeFile } from "node:fs/promises";
import { join as joinPath } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  createRouterTransport,
  type Transport,
} from "@connectrpc/connect";
import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  CastoreError,
  type DirectoryService,
  MemoryBlobService,
  MemoryDirectoryService,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { addCastoreRoutes, GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { openStore } from "@tvix/castore-packs";
import { BatchService } from "@tvix/protocol/batch";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { join, joinDigests, split } from "../src/batch/joined.ts";
import { blobServiceOf } from "../src/namespace.ts";

const { pseudoRandomBytes } = fixtures;

interface Served {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
}

/** Calls by their method. */
type Calls = Map<string, number>;

/** A transport to services in this process, which counts the calls. */
function counted(addRoutes: (router: ConnectRouter) => void): { transport: Transport; calls: Calls } {
  const calls: Calls = new Map();
  const transport = createRouterTransport(addRoutes, {
    transport: {
      interceptors: [
        (next) => (request) => {
          calls.set(request.method.name, (calls.get(request.method.name) ?? 0) + 1);
          return next(request);
        },
      ],
    },
  });
  return { transport, calls };
}

const inMemory = (): Served => ({
  blobService: new MemoryBlobService(),
  directoryService: new MemoryDirectoryService(),
});

async function inFolder() {
  const store = await openStore(await temporaryDirectory(), { sync: false });
  onTestFinished(() => store.close());
  return store;
}

/** A router to which a service is not added. */
function without(left: DescService, router: ConnectRouter): ConnectRouter {
  const service: ConnectRouter["service"] = (added, ...rest) => {
    return added.typeName === left.typeName ? router : router.service(added, ...rest);
  };
  return { ...router, service };
}

const shortBlobs = (count: number, length = 1000) =>
  Array.from({ length: count }, (_, index) => pseudoRandomBytes(length + (index % 7), index + 1));

describe.each<[string, () => Served | Promise<Served>]>([
  ["in memory", inMemory],
  ["in a folder", inFolder],
])("batches of a store %s", (_, make) => {
  test("many short blobs and directories are few calls", async () => {
    const services = await make();
    const { transport, calls } = counted((router) => addCastoreRoutes(router, services));
    const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
    const contents = shortBlobs(2000);
    const digests = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
    expect(digests.map(String)).toEqual(contents.map((bytes) => B3Digest.of(bytes).toString()));
    expect(calls.get("Put")).toBeLessThan(5);
    expect(calls.get("PutBlobs")).toBeLessThan(6);
    const read = await Promise.all(
      digests.map(async (digest) => {
        const stream = await blobs.read(digest, { sizeHint: 1006 });
        return stream && (await collect(stream, 2000));
      }),
    );
    expect(read).toEqual(contents);
    expect(calls.get("Read")).toBeLessThan(5);
    expect(calls.get("ReadBlobs")).toBeLessThan(6);

    const directories = new GrpcDirectoryService(transport, { namespace: "tvix" });
    const leaves = Array.from({ length: 500 }, (_, index) =>
      fixtures.directoryOf({ [`f${index}`]: fixtures.EMPTY_FILE }),
    );
    for (const leaf of leaves) await services.directoryService.put(leaf);
    const got = await Promise.all(leaves.map((leaf) => directories.get(leaf.digest())));
    expect(got.map((directory) => directory?.encode())).toEqual(leaves.map((leaf) => leaf.encode()));
    expect(calls.get("Get")).toBeLessThan(5);
    expect(calls.get("GetDirectories")).toBeLessThan(5);
  });

  test("an answer has what is there, is short, and fits", async () => {
    const services = await make();
    const { transport } = counted((router) => addCastoreRoutes(router, services));
    const client = createClient(BatchService, transport);
    const put = (bytes: Uint8Array) => services.blobService.put(bytes);
    const fitting = [await put(pseudoRandomBytes(65_536, 1)), await put(new Uint8Array(0))];
    const apart = [await put(pseudoRandomBytes(65_537, 2)), await put(pseudoRandomBytes(3_000_000, 3))];
    const unknown = B3Digest.of(pseudoRandomBytes(9, 4));
    const ask = async (digests: readonly B3Digest[]) =>
      split(await client.readBlobs({ digests: joinDigests(digests) }), 1000);
    const blobs = await ask([...apart, ...fitting, ...fitting, unknown]);
    const found = new Set(blobs.map((bytes) => B3Digest.of(bytes).toString()));
    expect(found.has(String(fitting[0]))).toBe(true);
    // However often it was named.
    expect(blobs.filter(({ length }) => length === 65_536)).toHaveLength(1);
    for (const digest of [...apart, unknown]) expect(found.has(String(digest))).toBe(false);
    const many = await Promise.all(shortBlobs(100, 60_000).map(put));
    const length = (await ask(many)).reduce((sum, bytes) => sum + bytes.length, 0);
    expect(length).toBeGreaterThan(1.9 * 2 ** 20);
    expect(length).toBeLessThanOrEqual(2 ** 21);
  });

  test("what is too much, or no digest, is refused and named", async () => {
    const services = await make();
    const client = createClient(
      BatchService,
      counted((router) => addCastoreRoutes(router, services)).transport,
    );
    const digests = new Uint8Array(1001 * 32);
    for (const call of ["readBlobs", "getDirectories"] as const) {
      await expect(client[call]({ digests })).rejects.toThrow(/\[resource_exhausted\].*1001.*1000/);
      await expect(client[call]({ digests: new Uint8Array(35) })).rejects.toThrow(
        /\[invalid_argument\].*digests\[1\].*3/,
      );
    }
    const lengths = Array<number>(1001).fill(0);
    await expect(client.putBlobs({ lengths })).rejects.toThrow(/\[resource_exhausted\].*1001.*1000/);
    for (const wrong of [[1, 2], [1, 3, 1], []]) {
      await expect(client.putBlobs({ contents: new Uint8Array(4), lengths: wrong })).rejects.toThrow(
        /\[invalid_argument\].*lengths.*contents has 4/,
      );
    }
    await expect(client.putBlobs({ contents: new Uint8Array(3 << 20), lengths: [3 << 20] })).rejects.toThrow(
      /\[resource_exhausted\]/,
    );
    expect((await client.putBlobs({})).digests).toHaveLength(0);
  });
});

test("what is damaged is told of, and what lies beside it is read", async () => {
  const services = inMemory();
  const contents = shortBlobs(50);
  const digests = await Promise.all(contents.map((bytes) => services.blobService.put(bytes)));
  const damaged = digests[20] as B3Digest;
  const blobService: BlobService = new Proxy(services.blobService, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      if (name !== "read") return value.bind(target);
      return async (digest: B3Digest, options: object) => {
        if (digest.equals(damaged)) throw new CastoreError("CORRUPT", `chunk ${digest} is damaged`);
        return await target.read(digest, options);
      };
    },
  });
  const { transport } = counted((router) => addCastoreRoutes(router, { ...services, blobService }));
  const blobs = new GrpcBlobService(transport);
  const read = await Promise.allSettled(
    digests.map(async (digest) => {
      const stream = await blobs.read(digest, { sizeHint: 1000 });
      return stream && (await collect(stream, 2000));
    }),
  );
  for (const [index, result] of read.entries()) {
    if (index === 20) expect(result).toMatchObject({ status: "rejected", reason: { code: "CORRUPT" } });
    else expect(result).toEqual({ status: "fulfilled", value: contents[index] });
  }
});

test("a directory is looked up once, however often it is named", async () => {
  const services = inMemory();
  const leaf = fixtures.directoryOf({ f: fixtures.EMPTY_FILE });
  await services.directoryService.put(leaf);
  let lookUps = 0;
  const directoryService = new Proxy(services.directoryService, {
    get(target, name) {
      if (name === "get") lookUps++;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { transport } = counted((router) => addCastoreRoutes(router, { ...services, directoryService }));
  const digests = joinDigests(Array.from({ length: 500 }, () => leaf.digest()));
  const answer = await createClient(BatchService, transport).getDirectories({ digests });
  expect(split(answer, 1)).toEqual([leaf.encode()]);
  expect(lookUps).toBe(1);
});

test("a damaged pack fails what lies in it, and nothing else", async () => {
  const folder = await temporaryDirectory();
  const store = await openStore(folder, { sync: false });
  const early = shortBlobs(30, 40_000);
  const digests = await Promise.all(early.map((bytes) => store.blobService.put(bytes)));
  await store.close();
  // Random bytes are stored as they are.
  const packs = joinPath(folder, "packs");
  let damaged = 0;
  for (const name of await readdir(packs)) {
    const bytes = await readFile(joinPath(packs, name));
    const place = bytes.indexOf((early[20] as Uint8Array).subarray(1000, 1100));
    if (place < 0) continue;
    bytes[place] = (bytes[place] as number) ^ 1;
    await writeFile(joinPath(packs, name), bytes);
    damaged++;
  }
  expect(damaged).toBe(1);
  const again = await openStore(folder, { sync: false });
  onTestFinished(() => again.close());
  const { transport } = counted((router) => addCastoreRoutes(router, again));
  const blobs = new GrpcBlobService(transport);
  const read = await Promise.allSettled(
    digests.map(async (digest) => collect((await blobs.read(digest, { sizeHint: 40_006 })) ?? [], 50_000)),
  );
  const failed = read.filter(({ status }) => status === "rejected");
  expect(failed).toEqual([expect.objectContaining({ reason: expect.objectContaining({ code: "CORRUPT" }) })]);
  for (const [index, result] of read.entries())
    if (result.status === "fulfilled") expect(result.value).toEqual(early[index]);
});

describe("a peer", () => {
  test("that knows no batches is asked one by one", async () => {
    const services = inMemory();
    const { transport, calls } = counted((router) => {
      addCastoreRoutes(without(BatchService, router), services);
    });
    const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
    const contents = shortBlobs(100);
    const digests = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
    expect(await Promise.all(digests.map((digest) => services.blobService.has(digest)))).not.toContain(false);
    expect(calls.get("PutBlobs")).toBe(1);
    expect(calls.get("Put")).toBe(100);
  });

  test("that sends other bytes than it is asked for is not believed", async () => {
    const secret = pseudoRandomBytes(500, 77);
    const { transport } = counted((router) => {
      router.service(BatchService, {
        readBlobs: () => join([secret, new Uint8Array(3)]),
        getDirectories: () => join([secret]),
        putBlobs: ({ lengths }) => ({ digests: joinDigests(lengths.map(() => B3Digest.of(secret))) }),
      });
      router.service(blobServiceOf("tvix"), {
        async *read() {
          yield { data: secret };
        },
        put: async (messages) => {
          const hasher = B3Digest.createHasher();
          for await (const { data } of messages) hasher.update(data);
          return { digest: B3Digest.finish(hasher).bytes };
        },
      });
    });
    const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
    const contents = shortBlobs(20);
    // What it says of a batch is not what was sent: each is put alone, and it says the right thing of that.
    const put = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
    expect(put.map(String)).toEqual(contents.map((bytes) => B3Digest.of(bytes).toString()));
    const read = await Promise.allSettled(
      contents.map((bytes) => blobs.read(B3Digest.of(bytes), { sizeHint: bytes.length })),
    );
    for (const result of read)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "CORRUPT" } });
    const directories = new GrpcDirectoryService(transport, { namespace: "tvix" });
    const got = await Promise.allSettled(contents.map((bytes) => directories.get(B3Digest.of(bytes))));
    for (const result of got) expect(result).toMatchObject({ status: "rejected" });
  });

  test.each([Code.Unavailable, Code.ResourceExhausted, Code.PermissionDenied])(
    "whose batches fail with status %s has each call succeed or fail for itself",
    async (code) => {
      const services = inMemory();
      const { transport, calls } = counted((router) => {
        const fail = () => {
          throw new ConnectError("not now", code);
        };
        addCastoreRoutes(without(BatchService, router), services);
        router.service(BatchService, { putBlobs: fail, readBlobs: fail, getDirectories: fail });
      });
      const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
      const contents = shortBlobs(60);
      const digests = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
      expect(digests.map(String)).toEqual(contents.map((bytes) => B3Digest.of(bytes).toString()));
      expect(calls.get("Put")).toBe(60);
      const unknown = B3Digest.of(new Uint8Array(5));
      const read = await Promise.all(
        [...digests, unknown].map(async (digest) => {
          const stream = await blobs.read(digest, { sizeHint: 1000 });
          return stream && (await collect(stream, 2000));
        }),
      );
      expect(read).toEqual([...contents, undefined]);
      const directories = new GrpcDirectoryService(transport, { namespace: "tvix" });
      const leaf = fixtures.directoryOf({ f: fixtures.EMPTY_FILE });
      await services.directoryService.put(leaf);
      const got = await Promise.all(Array.from({ length: 9 }, () => directories.get(leaf.digest())));
      expect(got.map((directory) => directory?.encode())).toEqual(got.map(() => leaf.encode()));
    },
  );

  test("is not waited for by who has left", async () => {
    const { transport } = counted((router) => {
      router.service(BatchService, { readBlobs: () => new Promise(() => {}) });
      router.service(blobServiceOf("tvix"), {
        async *read(_, { signal }) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          yield* [];
        },
      });
    });
    const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
    const leaving = new AbortController();
    const reads = shortBlobs(20).map((bytes) =>
      blobs.read(B3Digest.of(bytes), { sizeHint: bytes.length, signal: leaving.signal }),
    );
    const reason = new Error("changed my mind");
    leaving.abort(reason);
    for (const result of await Promise.allSettled(reads))
      expect(result).toEqual({ status: "rejected", reason });
  });
});
