import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { B3Digest, EMPTY_DIGEST } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { BatchService } from "@tvix/protocol/batch";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { servicesOf } from "@tvix/server";
import type { PathInfo } from "@tvix/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { addClosure } from "./copied-closure.ts";
import { runningServer } from "./running-server.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";
import { wholeServer } from "./whole-server.ts";

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
