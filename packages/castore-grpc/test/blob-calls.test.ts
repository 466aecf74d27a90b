import { once } from "node:events";
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { type BlobService, MemoryBlobService } from "@tvix/castore";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport, findBlobCall } from "@tvix/castore-grpc/http2";
import { expect, onTestFinished, test } from "vitest";

const MAX_MESSAGE_BYTES = 4 << 20;
const PUT = "/tvix.castore.v1.BlobService/Put";

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server of blob calls alone; each call is passed on with the promise of its end. */
async function serve(
  blobService: BlobService,
  onCall: (stream: ServerHttp2Stream, ended: Promise<void>) => void = () => {},
): Promise<string> {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const options = { blobService, maxMessageBytes: MAX_MESSAGE_BYTES, onError: () => {} };
    const ended = findBlobCall(headers)?.(stream, headers, options);
    if (ended !== undefined) onCall(stream, ended);
  });
  return await listen(server as unknown as Server);
}

function beginPut(url: string) {
  const session = connect(url);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session.request({
    ":method": "POST",
    ":path": PUT,
    "content-type": "application/grpc",
    te: "trailers",
  });
}

test.each([
  ["a compressed message", [1, 0, 0, 0, 3], "12"],
  ["one that is too long", [0, 0, 0x50, 0, 0], "8"],
  ["one that is no BlobChunk", [0, 0, 0, 0, 3, 0xff, 0xff, 0xff], "3"],
])("%s is refused before the request has ended", async (_, bytes, status) => {
  const stream = beginPut(await serve(new MemoryBlobService()));
  stream.write(Buffer.from(bytes));
  const [headers] = await once(stream, "response");
  expect(headers["grpc-status"]).toBe(status);
});

test("a call that is closed while its request is held ends, and only it", async () => {
  const calls: { stream: ServerHttp2Stream; ended: Promise<void> }[] = [];
  const called = Promise.withResolvers<void>();
  const blobs = new MemoryBlobService();
  const neverDone: BlobService = {
    has: (digest) => blobs.has(digest),
    chunks: (digest) => blobs.chunks(digest),
    read: (digest) => blobs.read(digest),
    put: async (_source, { signal } = {}) => {
      if (signal === undefined) throw new Error("a call has a signal");
      await once(signal, "abort");
      throw signal.reason;
    },
  };
  const url = await serve(neverDone, (stream, ended) => {
    calls.push({ stream, ended });
    called.resolve();
  });
  const stream = beginPut(url);
  stream.on("error", () => {});
  await called.promise;
  const [call] = calls;
  if (call === undefined) throw new Error("there was a call");
  const paused = once(call.stream, "pause");
  // The beginning of a message of 0x3f0000 bytes: the data in it are five less.
  stream.write(Buffer.from([0, 0, 0x3f, 0, 0, 0x0a, 0xfb, 0xff, 0xfb, 0x01]));
  stream.write(Buffer.alloc(3 << 20));
  await paused;
  stream.close();
  await call.ended;
  expect(call.stream.destroyed).toBe(true);
});

test("a connection that is to go away leaves the next one alone", async () => {
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  const server = createServer();
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    streams.push(stream);
    if (streams.length > 1) stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
    else sessions[0]?.goaway();
  });
  const url = await listen(server as unknown as Server);
  await using transport = createGrpcTransport({ url });
  const blobs = new GrpcBlobService(transport, { namespace: "tvix" });
  const first = blobs.put(Uint8Array.of(1));
  first.catch(() => {});
  await expect.poll(() => streams.length).toBe(1);
  // Until the client has heard of it, calls still come over the first connection, and are refused.
  await expect
    .poll(async () => (await blobs.put(Uint8Array.of(2)).catch(() => sessions.length)) as number)
    .toBe(2);
  sessions[0]?.destroy();
  await expect(first).rejects.toThrow();
  for (let call = 0; call < 5; call++) await expect(blobs.put(Uint8Array.of(3))).rejects.toThrow();
  expect(sessions.length).toBe(2);
});

test("a call that is given up while the client connects ends, and closing does not wait for a silent server", async () => {
  const url = await listen(createTcpServer(() => {}));
  await using transport = createGrpcTransport({ url });
  const giveUp = new AbortController();
  const put = new GrpcBlobService(transport).put(Uint8Array.of(1), { signal: giveUp.signal });
  giveUp.abort(new Error("given up"));
  await expect(put).rejects.toThrow("given up");
  // A call that is still waiting ends with the connection.
  const waiting = new GrpcBlobService(transport).put(Uint8Array.of(1));
  const [ended] = await Promise.allSettled([waiting, transport.close()]);
  expect(ended).toMatchObject({
    reason: { code: "CLOSED", message: expect.stringContaining("was closed") },
  });
});
