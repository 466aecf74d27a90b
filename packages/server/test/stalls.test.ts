import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@tvix/castore/grpc-http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { runningServer } from "./running-server.ts";

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(4, 0, 0, Buffer.alloc(0)),
]);

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Resolves when the other side has ended a connection. */
async function ended(socket: Socket): Promise<void> {
  socket.resume();
  socket.on("error", () => {});
  if (!socket.closed) await once(socket, "close");
}

describe("a client that does nothing is not waited for", () => {
  let server: Awaited<ReturnType<typeof runningServer>>;
  beforeEach(async () => {
    server = await runningServer({ stallMs: 300, idleMs: 300 });
  });
  afterEach(() => server.close());

  const tcp = () => {
    const socket = connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    return socket;
  };

  test("behind the preface of HTTP/2, or with pings only", async () => {
    const silent = tcp();
    silent.write(PREFACE);
    const pinging = tcp();
    pinging.write(PREFACE);
    const pings = setInterval(() => pinging.write(frame(6, 0, 0, Buffer.alloc(8))), 50);
    await Promise.all([ended(silent), ended(pinging)]);
    clearInterval(pings);
  });

  test("in the middle of the headers of HTTP/2", async () => {
    const socket = tcp();
    // A HEADERS frame without END_HEADERS; the rest never comes.
    socket.write(Buffer.concat([PREFACE, frame(1, 0, 1, Buffer.from([0x82]))]));
    await ended(socket);
  });

  test.each(["Put", "Stat"])("in the middle of a %s over HTTP/2", async (method) => {
    const session = connectHttp2(server.url);
    onTestFinished(() => session.destroy());
    const stream = session.request({
      ":method": "POST",
      ":path": `/tvix.castore.v1.BlobService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]));
    stream.resume();
    await once(stream, "close");
  });

  test("in the middle of a call over HTTP/1.1", async () => {
    const socket = tcp();
    socket.write(
      "POST /tvix.castore.v1.BlobService/Stat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\nContent-Length: 100\r\n\r\nhalf",
    );
    await ended(socket);
  });

  test("nor one that does not read, over HTTP/2 or HTTP/1.1", async () => {
    const digest = await server.blobService.put(new Uint8Array(32 << 20).map((_, index) => index * 7));
    const session = connectHttp2(server.url);
    onTestFinished(() => session.destroy());
    const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 34, 0x0a, 32]), digest.bytes]);
    const request = (type: string) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/tvix.castore.v1.BlobService/Read",
        "content-type": type,
      });
      stream.on("error", () => {});
      stream.end(message);
      return stream;
    };
    const streams = ["application/grpc", "application/grpc-web+proto"].map(request);
    const socket = tcp();
    socket.pause();
    socket.write(
      `POST /tvix.castore.v1.BlobService/Read HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: ${message.length}\r\n\r\n`,
    );
    socket.write(message);
    await Promise.all(streams.map((stream) => once(stream, "close")));
    // What was on its way comes, and then the end.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await ended(socket);
  });

  test("one that waits for us is left alone", async () => {
    const slow = server.blobService.read.bind(server.blobService);
    server.blobService.read = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return await slow(...args);
    };
    const digest = await server.blobService.put(Uint8Array.of(1, 2, 3));
    await using transport = createGrpcTransport({ url: server.url });
    const blobs = createClient(BlobService, transport);
    const read = await Array.fromAsync(blobs.read({ digest: digest.bytes }));
    expect(read.map(({ data }) => [...data])).toEqual([[1, 2, 3]]);
  });
});
