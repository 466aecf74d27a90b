import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { setImmediate } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { type BlobService, MemoryBlobService, MemoryDirectoryService, MemoryLedger } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { openLevelStore } from "@tvix/castore-level";
import { MemoryLevel } from "memory-level";
import { expect, onTestFinished, test } from "vitest";
import { BinaryFieldCounter } from "../src/calls/field-counter.ts";
import { callSignal, MESSAGE_COMPRESSIONS } from "../src/calls/message-compressions.ts";
import { RequestMemory } from "../src/calls/request-memory.ts";
import { beginCall, field, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const MIB = 1 << 20;

test("clients that leave while their messages wait for memory leave none of it behind", async () => {
  const memory = new MemoryLedger(256 * MIB);
  const server = await runningServer({ memory });
  onTestFinished(server.close);
  const message = framed(brotliCompressSync(Buffer.from([0x0a, 0])), 1);
  for (let round = 0; round < 3; round++) {
    const session = connect(server.url);
    session.on("error", () => {});
    const calls = Array.from({ length: 8 }, () =>
      beginCall(session, "/tvix.castore.v1.DirectoryService/Put", { "grpc-encoding": "br" }).resume(),
    );
    for (const call of calls) call.write(message);
    await expect.poll(() => memory.waiting).toBeGreaterThan(0);
    session.destroy();
    await expect.poll(() => [memory.held, memory.waiting]).toEqual([0, 0]);
  }
});

test.each(MESSAGE_COMPRESSIONS)(
  "of $name: a message whose client has left waits for no turn, and keeps none",
  async ({ name, decompress }) => {
    const bytes = Buffer.alloc(12 * MIB, 1);
    const compressed = new Uint8Array(name === "gzip" ? gzipSync(bytes) : brotliCompressSync(bytes));
    const others = Array.from({ length: 2 }, () => decompress(compressed, 16 * MIB));
    const ends: string[] = [];
    for (const other of others) void other.then(() => ends.push("whole"));
    const leaving = new AbortController();
    const left = Array.from({ length: 3 }, () =>
      callSignal.run(leaving.signal, () => decompress(compressed, 16 * MIB)),
    );
    for (const one of left) void one.catch(() => ends.push("left"));
    await setImmediate();
    leaving.abort(new Error("its client has left"));
    await Promise.all(left.map((one) => expect(one).rejects.toThrow("its client has left")));
    for (const other of others) expect(Buffer.compare(await other, bytes)).toBe(0);
    expect(ends).toEqual(["left", "left", "left", "whole", "whole"]);
    expect(Buffer.compare(await decompress(compressed, 16 * MIB), bytes)).toBe(0);
  },
);

test("a put that is refused before anybody reads it leaves nothing behind", async () => {
  const memory = new MemoryLedger(64 * MIB);
  const inner = new MemoryBlobService();
  const blobService: BlobService = {
    has: (digest) => inner.has(digest),
    chunks: (digest) => inner.chunks(digest),
    read: (digest) => inner.read(digest),
    put: () => Promise.reject(new Error("nothing is taken")),
  };
  const server = await runningServer({ memory, blobService, directoryService: new MemoryDirectoryService() });
  onTestFinished(server.close);
  const session = connect(server.url);
  onTestFinished(() => session.destroy());
  const puts = Array.from({ length: 6 }, async () => {
    const put = beginCall(session, "/tvix.castore.v1.BlobService/Put").resume();
    // A field that nobody knows beside the data, so that the message has to be put together.
    put.write(framed(Buffer.concat([field([0xfa, 0x01], 4 * MIB), field([0x0a], MIB)])));
    await over(put);
  });
  await Promise.all(puts);
  await expect.poll(() => memory.held).toBe(0);
});

test("readers that leave behind requests of their own leave no memory behind", async () => {
  const memory = new MemoryLedger(256 * MIB);
  const { blobService, directoryService } = await openLevelStore(new MemoryLevel());
  const server = await runningServer({ memory, blobService, directoryService });
  onTestFinished(server.close);
  const digest = await blobService.put(fixtures.pseudoRandomBytes(3 * MIB));
  const body = framed(Buffer.concat([Buffer.from([0x0a, 32]), digest.bytes]));
  const request = Buffer.concat([
    Buffer.from(
      "POST /tvix.castore.v1.BlobService/Read HTTP/1.1\r\nHost: localhost\r\n" +
        `Content-Type: application/grpc-web+proto\r\nContent-Length: ${body.length}\r\n\r\n`,
    ),
    body,
  ]);
  for (let round = 0; round < 3; round++) {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(Buffer.concat(Array.from({ length: 30 }, () => request)));
    // The first answer has begun, and nobody reads on.
    await new Promise<void>((resolve) => socket.once("readable", resolve));
    socket.destroy();
  }
  await expect.poll(() => [memory.held, memory.waiting]).toEqual([0, 0]);
});

test("a connection that brings more requests at once than a client has is ended; others are not", async () => {
  const server = await runningServer();
  onTestFinished(server.close);
  const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const send = (count: number) => {
    const socket = connectTcp(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let answers = 0;
    socket
      .on("error", () => {})
      .on("data", (piece: Buffer) => {
        answers += piece.toString("latin1").split("HTTP/1.1 200").length - 1;
      });
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write(get.repeat(count));
    return { closed, answers: () => answers };
  };
  const few = send(60);
  await expect.poll(few.answers).toBe(60);
  const many = send(5000);
  await many.closed;
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test("an upload that was answered in its middle gives its place to the next one", async () => {
  const server = await runningServer({ maxUploadsPerPrincipal: 1 });
  onTestFinished(server.close);
  for (let round = 0; round < 3; round++) {
    const session = connect(server.url);
    onTestFinished(() => session.destroy());
    const put = beginCall(session, "/tvix.castore.v1.DirectoryService/Put").resume();
    const ended = over(put);
    // Not a directory, and more behind it, to which nobody listens.
    put.write(framed(Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x2f])));
    put.write(Buffer.alloc(MIB));
    await ended;
  }
  const session = connect(server.url);
  onTestFinished(() => session.destroy());
  await expect
    .poll(async () => {
      const put = beginCall(session, "/tvix.castore.v1.BlobService/Put").resume();
      put.end(framed(Buffer.alloc(0)));
      let status: unknown;
      put.once("response", (headers) => {
        status = headers["grpc-status"];
      });
      put.once("trailers", (trailers) => {
        status = trailers["grpc-status"];
      });
      await over(put);
      return status;
    })
    .toBe("0");
});

test("memory that is granted in the moment in which its call ends is given back", async () => {
  const memory = new MemoryLedger(MIB);
  const options = {
    memory,
    maxMessageBytes: MIB,
    isUnary: true,
    encoding: undefined,
    announcedBytes: undefined,
    onBoundary: undefined,
  };
  const makeCounter = () => new BinaryFieldCounter(undefined);
  const leaving = new AbortController();
  const waiting = new RequestMemory({ ...options, makeCounter, signal: leaving.signal });
  const first = await memory.hold(MIB, "a test");
  async function* body() {
    yield new Uint8Array(MIB / 2);
  }
  const read = waiting.watch(body())[Symbol.asyncIterator]().next();
  await expect.poll(() => memory.waiting).toBe(1);
  // Both end with one connection, one right behind the other.
  first.release();
  leaving.abort();
  waiting.release();
  await expect(read).rejects.toThrow();
  expect(memory.held).toBe(0);
});
