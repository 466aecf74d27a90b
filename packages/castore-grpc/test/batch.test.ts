import {
  Code,
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
    const asked = [...apart, ...fitting, unknown].map(({ bytes }) => bytes);
    const { blobs } = await client.readBlobs({ digests: asked });
    const found = new Set(blobs.map((bytes) => B3Digest.of(bytes).toString()));
    expect(found.has(String(fitting[0]))).toBe(true);
    for (const digest of [...apart, unknown]) expect(found.has(String(digest))).toBe(false);
    const many = await Promise.all(shortBlobs(100, 60_000).map(put));
    const answer = await client.readBlobs({ digests: many.map(({ bytes }) => bytes) });
    const length = answer.blobs.reduce((sum, bytes) => sum + bytes.length, 0);
    expect(length).toBeGreaterThan(1.9 * 2 ** 20);
    expect(length).toBeLessThanOrEqual(2 ** 21);
  });

  test("what is too much, or no digest, is refused and named", async () => {
    const services = await make();
    const client = createClient(
      BatchService,
      counted((router) => addCastoreRoutes(router, services)).transport,
    );
    const digests = Array<Uint8Array>(1001).fill(new Uint8Array(32));
    for (const call of ["readBlobs", "getDirectories"] as const) {
      await expect(client[call]({ digests })).rejects.toThrow(/\[resource_exhausted\].*1001.*1000/);
      await expect(client[call]({ digests: [new Uint8Array(32), new Uint8Array(3)] })).rejects.toThrow(
        /\[invalid_argument\].*digests\[1\].*3/,
      );
    }
    await expect(client.putBlobs({ blobs: digests })).rejects.toThrow(/\[resource_exhausted\]/);
    expect((await client.putBlobs({ blobs: [] })).digests).toEqual([]);
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

describe("a peer", () => {
  test("that knows no batches is asked one by one", async () => {
    const services = inMemory();
    const { transport, calls } = counted((router) => {
      addCastoreRoutes(
        {
          service: (service: never, handlers: never) =>
            service === BatchService || router.service(service, handlers),
        } as never,
        services,
      );
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
        readBlobs: () => ({ blobs: [secret, new Uint8Array(3)] }),
        getDirectories: () => ({ directories: [secret] }),
        putBlobs: ({ blobs }) => ({ digests: blobs.map(() => B3Digest.of(secret).bytes) }),
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
    const put = await Promise.allSettled(contents.map((bytes) => blobs.put(bytes)));
    const refused = put.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeGreaterThan(10);
    for (const result of refused) expect(result).toMatchObject({ reason: { code: "INVALID_RESPONSE" } });
    const read = await Promise.allSettled(
      contents.map((bytes) => blobs.read(B3Digest.of(bytes), { sizeHint: bytes.length })),
    );
    for (const result of read)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "CORRUPT" } });
    const directories = new GrpcDirectoryService(transport, { namespace: "tvix" });
    const got = await Promise.allSettled(contents.map((bytes) => directories.get(B3Digest.of(bytes))));
    for (const result of got) expect(result).toMatchObject({ status: "rejected" });
  });

  test("whose batches fail has each call fail for itself", async () => {
    const services = inMemory();
    const { transport, calls } = counted((router) => {
      addCastoreRoutes(router, services);
    });
    const failing: Transport = {
      ...transport,
      unary: async (...args: Parameters<Transport["unary"]>) => {
        const [method] = args;
        if (method.parent === (BatchService as unknown))
          throw Object.assign(new Error("lost"), { code: Code.Unavailable });
        return await transport.unary(...args);
      },
    } as Transport;
    const blobs = new GrpcBlobService(failing, { namespace: "tvix" });
    const contents = shortBlobs(60);
    const digests = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
    expect(digests.map(String)).toEqual(contents.map((bytes) => B3Digest.of(bytes).toString()));
    expect(calls.get("Put")).toBe(60);
  });
});
