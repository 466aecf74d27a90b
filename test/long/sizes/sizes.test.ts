import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { expect, test } from "vitest";
import { startDaemon } from "../../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { AnonymousMemory } from "../anonymous-memory.ts";
import { throughEveryDoor } from "./every-way.ts";
import { GrpcJsBlobs } from "./grpc-js-client.ts";
import { addRow } from "./rows.ts";
import { largeFiles } from "./shapes.ts";

const SIZES = ["20,000 directories", "200 files of 6 MB", "60 levels", "4 GiB with holes"] as const;

/** What takes a quarter of an hour and 45 GB of disk: `SIZES_BY_HAND=1 pnpm test:long test/long/sizes -t "20 GiB"`. */
const BY_HAND = process.env["SIZES_BY_HAND"] === undefined ? [] : (["20 GiB with holes"] as const);

test.each(SIZES)(
  "%s: directly, through a daemon, and through nginx",
  { timeout: 1_200_000 },
  throughEveryDoor,
);

test.each(BY_HAND)(
  "%s: directly, through a daemon, and through nginx, by hand",
  { timeout: 7_200_000 },
  throughEveryDoor,
);

test("a hundred calls at once by grpc-js, over one connection: puts and reads of 6 MB each", {
  timeout: 600_000,
}, async () => {
  const base = await temporaryDirectory();
  await largeFiles(join(base, "files"), 100, 6_000_000);
  const daemon = await startDaemon(join(base, "data"));
  const memory = new AnonymousMemory(daemon.process.pid ?? 0);
  using blobs = new GrpcJsBlobs(new URL(daemon.url).host);
  const names = await readdir(join(base, "files"));
  const started = performance.now();
  const digests = await Promise.all(
    names.map((name) => blobs.put(createReadStream(join(base, "files", name)))),
  );
  const put = (performance.now() - started) / 1000;
  const peakOfPuts = memory.takePeak();
  // All of them are open before the first is read.
  const streams = digests.map((digest) => blobs.read(digest));
  const found = await Promise.all(
    streams.map(async (stream) => {
      const hasher = B3Digest.createHasher();
      for await (const piece of stream) hasher.update(piece);
      return B3Digest.finish(hasher).toHex();
    }),
  );
  expect(found).toEqual(digests.map((digest) => Buffer.from(digest).toString("hex")));
  expect(found).toEqual(await Promise.all(names.map((name) => hashOf(join(base, "files", name)))));
  const read = (performance.now() - started) / 1000 - put;
  const peakOfReads = memory.takePeak();
  memory.end();
  for (const [step, seconds, peak] of [
    ["put", put, peakOfPuts],
    ["read", read, peakOfReads],
  ] as const) {
    addRow({ what: "100 calls of grpc-js", door: "daemon", step, seconds, command: 0, daemon: peak });
  }
});

async function hashOf(file: string): Promise<string> {
  const hasher = B3Digest.createHasher();
  for await (const piece of createReadStream(file)) hasher.update(piece);
  return B3Digest.finish(hasher).toHex();
}

test("a hundred calls at once: puts and reads of 6 MB each", { timeout: 600_000 }, async () => {
  const base = await temporaryDirectory();
  await largeFiles(join(base, "files"), 100, 6_000_000);
  const daemon = await startDaemon(join(base, "data"));
  const memory = new AnonymousMemory(daemon.process.pid ?? 0);
  await using transport = createGrpcTransport({ url: daemon.url });
  const blobs = new GrpcBlobService(transport);
  const started = performance.now();
  const names = await readdir(join(base, "files"));
  const digests = await Promise.all(
    names.map((name) => blobs.put(createReadStream(join(base, "files", name)))),
  );
  const put = (performance.now() - started) / 1000;
  const peakOfPuts = memory.takePeak();
  const found = await Promise.all(
    digests.map(async (digest) => {
      const hasher = B3Digest.createHasher();
      for await (const piece of (await blobs.read(digest)) ?? []) hasher.update(piece);
      return B3Digest.finish(hasher).equals(digest);
    }),
  );
  expect(found).toEqual(names.map(() => true));
  const read = (performance.now() - started) / 1000 - put;
  const daemonMemory = { puts: peakOfPuts, reads: memory.takePeak() };
  memory.end();
  for (const [step, seconds, peak] of [
    ["put", put, daemonMemory.puts],
    ["read", read, daemonMemory.reads],
  ] as const) {
    addRow({ what: "100 calls of 6 MB", door: "daemon", step, seconds, command: 0, daemon: peak });
  }
  const directories = new GrpcDirectoryService(transport);
  const missing = B3Digest.of(Buffer.from("no such directory"));
  const answers = await Promise.all(Array.from({ length: 100 }, () => directories.get(missing)));
  expect(answers.every((answer) => answer === undefined)).toBe(true);
});
