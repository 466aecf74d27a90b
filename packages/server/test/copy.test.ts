import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { B3Digest, type Directory, EMPTY_DIGEST } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport as createOwnTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { BatchService } from "@tvix/protocol/batch";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { type Services, servicesOf } from "@tvix/server";
import { copyPaths, type PathInfo } from "@tvix/store";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { runningServer } from "./running-server.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";
import { wholeServer } from "./whole-server.ts";

const { pseudoRandomBytes, directoryOf, directoryNode } = fixtures;

/** The services of a server, over sockets. */
function servicesAt(url: string): Services {
  const transport = createOwnTransport({ url });
  onTestFinished(() => transport.close());
  const pathInfoService = new GrpcPathInfoService(transport);
  return {
    blobService: new GrpcBlobService(transport),
    directoryService: new GrpcDirectoryService(transport),
    pathInfoService,
    narCalculationService: pathInfoService,
  };
}

/** The text of a file of a path; in `version` 2 one path in ten is another. */
function contentsOf(number: number, version: number): Uint8Array {
  const changed = version === 2 && number % 10 === 0;
  return Buffer.from(`${number} ${changed ? "changed" : ""}\n`.repeat(100 + (number % 50)));
}

/** A closure: each path refers to the three before it. Returns the path that leads to all. */
async function addClosure(services: Services, count: number, version: number): Promise<PathInfo> {
  const large = pseudoRandomBytes(6_000_000, 1);
  if (version === 2) large.fill(0, 3_000_000, 3_000_010);
  const largeDigest = await services.blobService.put(large);
  const infos: PathInfo[] = [];
  for (let number = 0; number < count; number++) {
    const contents = contentsOf(number, version);
    const digest = await services.blobService.put(contents);
    const file = { type: "file", digest, size: BigInt(contents.length), executable: false } as const;
    const last = {
      type: "file",
      digest: largeDigest,
      size: BigInt(large.length),
      executable: false,
    } as const;
    const root: Directory = directoryOf(number === count - 1 ? { file, last } : { file });
    await services.directoryService.put(root);
    const pathDigest = new Uint8Array(20);
    new DataView(pathDigest.buffer).setUint32(0, number + 1 + version * 2 ** 20);
    const node = directoryNode(root);
    const references = infos.slice(-3).map(({ storePath }) => storePath);
    const known = { node, references, signatures: [], deriver: undefined, contentAddress: undefined };
    const narHash = NixHash.from("sha256", root.digest().bytes);
    const storePath = StorePath.from(pathDigest, `path-${number}`);
    infos.push(await services.pathInfoService.put({ ...known, storePath, narSize: 1000, narHash }));
  }
  return infos.at(-1) as PathInfo;
}

test("1,000 paths from one server to another; interrupted and run again, and changed a little", async () => {
  const [from, to] = [await wholeServer(), await wholeServer()];
  const first = await addClosure(from.services, 1000, 1);
  const [source, destination] = [servicesAt(from.url), servicesAt(to.url)];
  const leaving = new AbortController();
  const interrupted = copyPaths([first], source, destination, {
    signal: leaving.signal,
    onProgress: ({ copiedPaths }) => copiedPaths === 300 && leaving.abort(new Error("interrupted")),
  });
  await expect(interrupted).rejects.toThrow("interrupted");
  const before = (await Array.fromAsync(to.services.pathInfoService.list())).length;
  expect(before).toBeGreaterThanOrEqual(300);
  expect(before).toBeLessThan(1000);
  const rest = await copyPaths([first], source, destination);
  expect(rest).toMatchObject({ paths: 1000, copiedPaths: 1000 - before });

  const second = await addClosure(from.services, 1000, 2);
  const changed = await copyPaths([second], source, destination);
  expect(changed).toMatchObject({ paths: 1000, copiedPaths: 1000 });
  const newTexts = Array.from({ length: 100 }, (_, index) => contentsOf(index * 10, 2).length);
  const newBytes = newTexts.reduce((sum, length) => sum + length);
  // The texts that have changed, and of 6 MB the chunks around the change.
  expect(changed.sentBytes).toBeGreaterThan(newBytes);
  expect(changed.sentBytes).toBeLessThan(newBytes + 2 * 512 * 1024);
  const copied = await to.services.pathInfoService.get(second.storePath.digest);
  expect(copied?.references.map(String)).toEqual(second.references.map(String));
}, 120_000);

describe("tvix-store copy", () => {
  async function dataWithClosure(): Promise<{ data: string; root: PathInfo }> {
    const data = join(await temporaryDirectory(), "data");
    await using store = await openStore(data, { sync: false });
    return { data, root: await addClosure(servicesOf(store), 20, 1) };
  }

  test("from a data directory to a daemon, and everything from there to another directory", async () => {
    const { data, root } = await dataWithClosure();
    const daemon = await startDaemon(join(await temporaryDirectory(), "team"));
    const address = `grpc+${daemon.url}`;
    const there = await tvixStore(
      "copy",
      "--from",
      `level://${data}`,
      "--to",
      address,
      String(root.storePath),
    );
    expect(there).toMatchObject({ status: 0, stdout: "" });
    expect(there.stderr).toMatch(/^copied 20 of 20 paths, [\d.]+ MiB sent for [\d.]+ MiB of contents\n$/);
    const again = await tvixStore("copy", "--from", `level://${data}`, "--to", address, "--all", "--json");
    expect(JSON.parse(again.stdout)).toEqual({ paths: 20, copiedPaths: 0, narBytes: 0, sentBytes: 0 });
    const other = join(await temporaryDirectory(), "other");
    expect(await tvixStore("copy", "--from", address, "--to", `level://${other}`, "--all")).toMatchObject({
      status: 0,
    });
    const [one, two] = [
      await tvixStore("path-info", "list", "--data", data),
      await tvixStore("path-info", "list", "--data", other),
    ];
    expect(two.stdout.split("\n").sort()).toEqual(one.stdout.split("\n").sort());
    // Where nothing is said of one of the two, it is where other commands work.
    expect(await tvixStore("copy", "--to", address, "--all", "--data", data)).toMatchObject({ status: 0 });
  });

  test("what cannot be meant is wrong usage", async () => {
    const from = ["--from", "memory://"];
    for (const [args, why] of [
      [["copy", ...from], "name the paths to copy, or say --all"],
      [["copy", ...from, "--all", "0c6kzph7l0dcbfmjap64f0czdafn3b7x-x"], "name no paths"],
      [["copy"], "name a JSON file with a closure"],
      [["copy", "a", "b"], "one JSON file is read"],
      [["copy", "--from", "http://x", "--all"], "Unknown type: http"],
      [["copy", ...from, "nonsense"], '"nonsense" is no store path'],
    ] as const) {
      const found = await tvixStore(...args);
      expect([found.status, found.stderr]).toEqual([2, expect.stringContaining(why)]);
    }
    for (const flag of ["--from", "--service-addr", "--blob-service-addr"]) {
      const { stderr } = await tvixStore("copy", "--all", flag, "grpc+http://me:s3cret@localhost");
      expect(stderr).toContain("no user stands in front of it");
      expect(stderr).not.toContain("s3cret");
    }
    const missing = await tvixStore("copy", ...from, "0c6kzph7l0dcbfmjap64f0czdafn3b7x-x");
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining("is not in the store") });
  });

  test("a file that lists no closure is told where it is wrong", async () => {
    const file = join(await temporaryDirectory(), "attrs.json");
    const path = "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-x";
    const entry = {
      path,
      narHash: "sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
      narSize: 5,
    };
    for (const [json, why] of [
      ["{", "JSON"],
      ["[]", 'there is no list "closure"'],
      [JSON.stringify({ closure: [{ ...entry }] }), "closure[0].references: expected a list"],
      [JSON.stringify({ closure: [{ ...entry, references: [], path: "x" }] }), "closure[0].path"],
      [JSON.stringify({ closure: [{ ...entry, references: [], narHash: "x" }] }), "closure[0].narHash"],
      [JSON.stringify({ closure: [{ ...entry, references: [], narSize: -1 }] }), "closure[0].narSize"],
      [JSON.stringify({ closure: [{ ...entry, references: [] }] }), path],
    ] as const) {
      await writeFile(file, json);
      const { status, stderr } = await tvixStore("copy", file, "--service-addr", "memory://");
      expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
    }
  });
});

describe.each([
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" })],
])("the exchange of chunks by %s", (_, connect) => {
  test("refuses what is too much or no digest, and names it", async () => {
    const server = await runningServer();
    onTestFinished(server.close);
    const client = createClient(ChunkExchangeService, connect(server.url));
    const digest = EMPTY_DIGEST.bytes;
    await expect(client.findMissing({ digests: [digest, digest.subarray(1)] })).rejects.toThrow(
      /\[invalid_argument\].*digests\[1\]/,
    );
    const empty = new Uint8Array(0);
    await expect(client.findMissing({ digests: Array(300_000).fill(empty) })).rejects.toThrow(
      /\[resource_exhausted\]/,
    );
    await expect(client.findMissing({ digests: Array(10_001).fill(digest) })).rejects.toThrow(
      /\[resource_exhausted\].*10000 digests/,
    );
    const assemble = (
      ...requests: Parameters<typeof client.assemble>[0] extends AsyncIterable<infer R> ? R[] : never
    ) =>
      client.assemble(
        (async function* () {
          yield* requests;
        })(),
      );
    await expect(assemble()).rejects.toThrow(/\[invalid_argument\]/);
    await expect(assemble({ digest, chunks: [{ digest, size: 0n }] })).rejects.toThrow(
      /chunks\[0\]\.size: 0/,
    );
    await expect(assemble({ digest, chunks: [{ digest, size: 2n ** 40n }] })).rejects.toThrow(
      /chunks\[0\]\.size/,
    );
    await expect(assemble({ digest, chunks: [{ digest: digest.subarray(3), size: 1n }] })).rejects.toThrow(
      /\[invalid_argument\].*chunks\[0\]\.digest/,
    );
    expect(await assemble({ digest })).toMatchObject({ assembled: true });
  });

  test("putting blobs together, and many at once, is writing", async () => {
    const { url } = await wholeServer({ access: { open: { writes: false } } });
    const client = createClient(ChunkExchangeService, connect(url));
    expect((await client.findMissing({ digests: [] })).digests).toEqual([]);
    const nothing = async function* () {};
    await expect(client.assemble(nothing())).rejects.toThrow("unauthenticated");
    const batches = createClient(BatchService, connect(url));
    expect((await batches.readBlobs({})).lengths).toEqual([]);
    expect((await batches.getDirectories({})).lengths).toEqual([]);
    const blob = { contents: new Uint8Array(1), lengths: [1] };
    await expect(batches.putBlobs(blob)).rejects.toThrow("unauthenticated");
    const { bytes } = B3Digest.of(blob.contents);
    expect((await batches.readBlobs({ digests: bytes })).lengths).toEqual([]);
  });
});
