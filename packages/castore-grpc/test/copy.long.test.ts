import { createRouterTransport } from "@connectrpc/connect";
import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  BlobCopier,
  type BlobService,
  chunkExchangeOf,
  MemoryBlobService,
  MemoryDirectoryService,
  readOnlyBlobService,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { addCastoreRoutes, GrpcBlobService } from "@tvix/castore-grpc";
import { openStore } from "@tvix/castore-packs";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { BlobService as BlobServiceDesc } from "@tvix/protocol/tvix/castore";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { plain } from "../../castore/test/plain-blobs.ts";

const { pseudoRandomBytes } = fixtures;
const ALL = 64 << 20;

function throughRouter(blobService: BlobService): GrpcBlobService {
  const services = { blobService, directoryService: new MemoryDirectoryService() };
  return new GrpcBlobService(createRouterTransport((router) => void addCastoreRoutes(router, services)));
}

async function storeInFolder(): Promise<BlobService> {
  const store = await openStore(await temporaryDirectory(), { sync: false });
  onTestFinished(() => store.close());
  return store.blobService;
}

async function read(service: BlobService, digest: B3Digest): Promise<Uint8Array | undefined> {
  const stream = await service.read(digest);
  return stream && (await collect(stream, ALL));
}

/** Every kind of service that blobs are copied to. */
const DESTINATIONS: Readonly<Record<string, () => BlobService | Promise<BlobService>>> = {
  memory: () => new MemoryBlobService(),
  "a store in a folder": storeInFolder,
  "one that takes whole blobs only": () => plain(new MemoryBlobService()),
  "a peer": () => throughRouter(new MemoryBlobService()),
  "a peer with whole blobs only behind it": () => throughRouter(plain(new MemoryBlobService())),
};

describe.each(Object.entries(DESTINATIONS))("the exchange of chunks of %s", (_, make) => {
  test("tells what is missing, in the order of the question", async () => {
    const blobs = await make();
    const there = await blobs.put(pseudoRandomBytes(3_000_000, 1));
    const chunks = (await blobs.chunks(there)) ?? [];
    const missing = [2, 3].map((seed) => B3Digest.of(pseudoRandomBytes(10, seed)));
    const asked = [missing[1], there, missing[0], ...chunks.map(({ digest }) => digest)] as B3Digest[];
    const found = await chunkExchangeOf(blobs).findMissing(asked);
    expect(found?.map(String)).toEqual([missing[1], missing[0]].map(String));
    expect(await chunkExchangeOf(blobs).findMissing([])).toEqual([]);
  });

  test("puts a blob together of chunks that are there, and of no others", async () => {
    const [from, to] = [new MemoryBlobService(), await make()];
    const bytes = pseudoRandomBytes(2_000_000, 4);
    const digest = await from.put(bytes);
    const chunks = (await from.chunks(digest)) ?? [];
    const exchange = chunkExchangeOf(to);
    for (const chunk of chunks.slice(1)) await to.put((await read(from, chunk.digest)) as Uint8Array);
    expect(await exchange.assemble(digest, chunks)).toBe(false);
    expect(await to.has(digest)).toBe(false);
    const [first, ...others] = chunks;
    await to.put((await read(from, first?.digest as B3Digest)) as Uint8Array);
    await expect(exchange.assemble(digest, others)).rejects.toMatchObject({ code: "INVALID_DIGEST" });
    await expect(exchange.assemble(digest, [])).rejects.toMatchObject({ code: "INVALID_DIGEST" });
    const shorter = chunks.map((chunk) => ({ ...chunk, size: chunk.size - 1 }));
    await expect(exchange.assemble(digest, shorter)).rejects.toMatchObject({ code: "INVALID_DIGEST" });
    expect(await to.has(digest)).toBe(false);
    expect(await exchange.assemble(digest, chunks)).toBe(true);
    expect(await read(to, digest)).toEqual(bytes);
  });

  test("lets only the chunks travel that are not there", async () => {
    const [from, to] = [new MemoryBlobService(), await make()];
    const bytes = pseudoRandomBytes(5_000_000, 5);
    const digest = await from.put(bytes);
    let sent = 0;
    const copier = new BlobCopier(from, to, (length) => {
      sent += length;
    });
    expect(await copier.copy([{ digest }])).toBe(1);
    expect(sent).toBe(bytes.length);
    expect(await copier.copy([{ digest }])).toBe(0);
    expect(sent).toBe(bytes.length);

    const changed = bytes.slice();
    changed[2_500_000] = (changed[2_500_000] as number) ^ 1;
    const again = await from.put(changed);
    sent = 0;
    expect(await copier.copy([{ digest: again }])).toBe(1);
    expect(await read(to, again)).toEqual(changed);
    expect(sent).toBeGreaterThan(0);
    // The chunk with the change, and at most the one behind it.
    expect(sent).toBeLessThanOrEqual(2 * 512 * 1024);
  });

  test("many blobs, small and large ones", async () => {
    const [from, to] = [new MemoryBlobService(), await make()];
    const all = Array.from({ length: 60 }, (_, seed) => pseudoRandomBytes(1 + seed * 20_000, 100 + seed));
    const digests = await Promise.all(all.map((bytes) => from.put(bytes)));
    expect(await new BlobCopier(from, to).copy(digests.map((digest) => ({ digest })))).toBe(60);
    for (const [index, digest] of digests.entries()) expect(await read(to, digest)).toEqual(all[index]);
  });

  test("what is not in the source is told", async () => {
    const copier = new BlobCopier(new MemoryBlobService(), await make());
    await expect(copier.copy([{ digest: B3Digest.of(pseudoRandomBytes(9, 6)) }])).rejects.toMatchObject({
      code: "INCOMPLETE",
    });
  });
});

test("a peer without an exchange gets whole blobs", async () => {
  const behind = new MemoryBlobService();
  const complete = throughRouter(behind);
  // As the peers of tvix are: BlobService, and nothing else.
  const peer = new GrpcBlobService(
    createRouterTransport((router) => {
      router.service(BlobServiceDesc, {
        stat: () => ({}),
        read: async function* () {},
        async put(requests) {
          const pieces: Uint8Array[] = [];
          for await (const { data } of requests) pieces.push(data);
          return { digest: (await complete.put(pieces)).bytes };
        },
      });
    }),
  );
  const from = new MemoryBlobService();
  const bytes = pseudoRandomBytes(3_000_000, 7);
  const digest = await from.put(bytes);
  expect(await chunkExchangeOf(peer).findMissing([digest])).toBeUndefined();
  expect(await new BlobCopier(from, peer).copy([{ digest }])).toBe(1);
  expect(await read(behind, digest)).toEqual(bytes);
});

test("a store that takes nothing takes no chunks either", async () => {
  const inner = new MemoryBlobService();
  const bytes = pseudoRandomBytes(2_000_000, 8);
  const chunks = (await inner.chunks(await inner.put(bytes))) ?? [];
  const readOnly = throughRouter(readOnlyBlobService(inner));
  const other = chunks.slice(0, 3);
  const part = bytes.subarray(
    0,
    other.reduce((sum, { size }) => sum + size, 0),
  );
  const exchange = chunkExchangeOf(readOnly);
  await expect(exchange.assemble(B3Digest.of(part), other)).rejects.toMatchObject({ code: "READ_ONLY" });
  expect(await inner.has(B3Digest.of(part))).toBe(false);
});

test("a peer is sent what it was asked about, and nothing else that it names", async () => {
  const from = new MemoryBlobService();
  const open = await from.put(pseudoRandomBytes(1000, 20));
  const secret = await from.put(pseudoRandomBytes(1000, 21));
  const received: number[] = [];
  const transport = createRouterTransport((router) => {
    router.service(ChunkExchangeService, { findMissing: () => ({ digests: [secret.bytes] }) });
    router.service(BlobServiceDesc, {
      async put(requests) {
        for await (const { data } of requests) received.push(data.length);
        return { digest: secret.bytes };
      },
    });
  });
  const copier = new BlobCopier(from, new GrpcBlobService(transport));
  await expect(copier.copy([{ digest: open }])).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
  expect(received).toEqual([]);
});

test("an empty chunk in the list of a peer is refused", async () => {
  const transport = createRouterTransport((router) => {
    router.service(BlobServiceDesc, {
      stat: () => ({ chunks: [{ digest: B3Digest.of(Uint8Array.of(1)).bytes, size: 0n }] }),
    });
  });
  const peer = new GrpcBlobService(transport, { namespace: "tvix" });
  await expect(peer.chunks(B3Digest.of(Uint8Array.of(2)))).rejects.toMatchObject({
    code: "INVALID_RESPONSE",
  });
});
