import { once } from "node:events";
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { collect, concatBytes } from "@tvix/byte-stream";
import { MemoryLedger } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { ReadBlobsRequestSchema } from "@tvix/protocol/batch";
import { expect, onTestFinished, test } from "vitest";
import { beginCall, framed } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const { pseudoRandomBytes } = fixtures;

test("an answer that nobody reads is held in the ledger until its client has left", async () => {
  const memory = new MemoryLedger(64 << 20);
  const { port, close, blobService } = await runningServer({ memory });
  onTestFinished(close);
  const digests = await Promise.all(
    Array.from({ length: 30 }, (_, index) => blobService.put(pseudoRandomBytes(60_000, index + 1))),
  );
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
  onTestFinished(() => session.destroy());
  const request = create(ReadBlobsRequestSchema, { digests: concatBytes(digests.map(({ bytes }) => bytes)) });
  const call = beginCall(session, "/tvix_ts.castore.v1.BatchService/ReadBlobs");
  call.end(framed(toBinary(ReadBlobsRequestSchema, request)));
  await once(call, "response");
  expect(memory.held).toBeGreaterThanOrEqual(30 * 60_000);
  call.close(8);
  await expect.poll(() => memory.held).toBe(0);
});

test("short blobs are put while as much is read as the connection takes, and nobody takes it", async () => {
  const { url, close, blobService } = await runningServer();
  const transport = createGrpcTransport({ url });
  onTestFinished(async () => {
    await transport.close();
    await close();
  });
  const blobs = new GrpcBlobService(transport);
  const long = await blobService.put(pseudoRandomBytes(16 << 20, 1));
  // Each has taken its first piece, and waits.
  const paused = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const reader = (await blobs.read(long))?.[Symbol.asyncIterator]();
      await reader?.next();
      return reader;
    }),
  );
  const contents = Array.from({ length: 500 }, (_, index) => pseudoRandomBytes(9000, 100 + index));
  const digests = await Promise.all(contents.map((bytes) => blobs.put(bytes)));
  expect(await Promise.all(digests.map((digest) => blobService.has(digest)))).not.toContain(false);
  for (const reader of paused) await reader?.return?.();
  expect(await collect((await blobs.read(long)) ?? [], 16 << 20)).toHaveLength(16 << 20);
});
