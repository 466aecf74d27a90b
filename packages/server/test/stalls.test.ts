import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { MemoryLedger } from "@tvix/castore";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import type { Authenticator, Caller } from "@tvix/server";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { networkOf } from "../src/listen/connections.ts";
import { beginCall, frame, PREFACE } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

/** Resolves when the other side has ended a connection. */
async function ended(socket: Socket): Promise<void> {
  socket.resume();
  socket.on("error", () => {});
  // Also by a reset, where something of ours was not read any more.
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
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
    const stream = beginCall(session, `/tvix.castore.v1.BlobService/${method}`).resume();
    stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]));
    stream.resume();
    await once(stream, "close");
  });

  test("with a byte now and then, over HTTP/2 or HTTP/1.1", async () => {
    const session = connectHttp2(server.url);
    onTestFinished(() => session.destroy());
    const stream = beginCall(session, "/tvix.castore.v1.BlobService/Put").resume();
    stream.write(Buffer.from([0, 0, 0, 100, 0]));
    const socket = tcp();
    socket.write(
      "POST /tvix.castore.v1.BlobService/Put HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 100000\r\n\r\n",
    );
    const dribble = setInterval(() => {
      stream.write(Buffer.of(1));
      socket.write(Buffer.of(0));
    }, 20);
    onTestFinished(() => clearInterval(dribble));
    await Promise.all([once(stream, "close"), ended(socket)]);
  });

  test("in the middle of a directory; between two of them it has time", async () => {
    const session = connectHttp2(server.url);
    onTestFinished(() => session.destroy());
    const put = () => {
      const stream = beginCall(session, "/tvix.castore.v1.DirectoryService/Put").resume();
      return stream;
    };
    const between = put();
    between.write(Buffer.from([0, 0, 0, 0, 0]));
    const within = put();
    within.write(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1]));
    await once(within, "close");
    expect(between.closed).toBe(false);
    const trailers = once(between, "trailers");
    between.end();
    expect((await trailers)[0]["grpc-status"]).toBe("0");
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

test("between two directories it has no time while others wait for memory", async () => {
  const memory = new MemoryLedger(1000, { waitMs: 10_000 });
  const server = await runningServer({ stallMs: 300, idleMs: 300, memory });
  onTestFinished(server.close);
  const session = connectHttp2(server.url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, "/tvix.castore.v1.DirectoryService/Put").resume();
  stream.write(Buffer.from([0, 0, 0, 0, 0]));
  const held = await memory.hold(1000, "work");
  const waiting = memory.hold(1000, "more work");
  await once(stream, "close");
  held.release();
  (await waiting).release();
});

test("a request has an end, however much goes on in it", async () => {
  const server = await runningServer({ requestMs: 500 });
  onTestFinished(server.close);
  const session = connectHttp2(server.url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, "/tvix.castore.v1.BlobService/Put").resume();
  const piece = Buffer.concat([Buffer.from([0, 0, 0, 4, 4, 0x0a, 0x80, 0x08]), Buffer.alloc(1024)]);
  piece.writeUInt32BE(piece.length - 5, 1);
  const send = setInterval(() => stream.write(piece), 10);
  onTestFinished(() => clearInterval(send));
  await once(stream, "close");
});

test("a connection whose requests are refused again and again is ended", async () => {
  const server = await runningServer({ access: { open: { reads: false } } });
  onTestFinished(server.close);
  const session = connectHttp2(server.url);
  onTestFinished(() => session.destroy());
  session.on("error", () => {});
  let code: number | undefined;
  session.on("goaway", (reason) => {
    code = reason;
  });
  const closed = new Promise<void>((resolve) => session.once("close", () => resolve()));
  while (!session.closed && !session.destroyed) {
    await new Promise((resolve) => setImmediate(resolve));
    const stream = session.request({ ":path": "/nix-cache-info" });
    stream.on("error", () => {});
    stream.resume();
    await new Promise<void>((resolve) => stream.once("close", () => resolve()));
  }
  await closed;
  expect(code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  let kept = true;
  for (let count = 0; kept && count < 1000; count++) {
    const [response] = await once(get(`${server.url}/nix-cache-info`, { agent }), "response");
    expect(response.statusCode).toBe(401);
    kept = response.headers.connection !== "close";
    response.resume();
    await once(response, "end");
  }
  expect(kept).toBe(false);
});

test("one address has half of the connections at the most", async () => {
  const server = await runningServer({
    maxConnections: 8,
    address: { type: "tcp", host: "localhost", port: 0 },
  });
  onTestFinished(server.close);
  const open = async (host: string) => {
    const socket = connect(server.port, host);
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return await Promise.race([
      once(socket, "data").then(() => true),
      once(socket, "close").then(() => false),
    ]);
  };
  const from = async (host: string) => {
    const opened = [];
    for (let count = 0; count < 5; count++) opened.push(await open(host));
    return opened;
  };
  expect(await from("127.0.0.1")).toEqual([true, true, true, true, false]);
  const others = await from("::1").catch(() => undefined);
  if (server.server.addresses.length > 1) expect(others).toEqual([true, true, true, true, false]);
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["::1", "::1"],
  [undefined, ""],
])("the address %s counts as %j", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test("one principal has so many uploads at once, by every protocol; reading is not counted", async () => {
  const server = await runningServer({ maxUploadsPerPrincipal: 2 });
  onTestFinished(server.close);
  const session = connectHttp2(server.url);
  onTestFinished(() => session.destroy());
  const puts = ["BlobService", "DirectoryService"].map((service) =>
    beginCall(session, `/tvix.castore.v1.${service}/Put`).resume(),
  );
  for (const put of puts) put.write(Buffer.from([0, 0, 0, 0, 0]));
  await expect
    .poll(async () => {
      const response = await fetch(`${server.url}/tvix.castore.v1.BlobService/Put`, {
        method: "POST",
        headers: { "content-type": "application/connect+proto" },
        body: new Uint8Array(5),
      });
      return [response.status, await response.text()];
    })
    .toEqual([503, expect.stringContaining("may store 2 things at once")]);
  const stat = beginCall(session, "/tvix.castore.v1.BlobService/Stat").resume();
  stat.end(Buffer.from([0, 0, 0, 0, 0]));
  const [headers] = await once(stat, "response");
  expect(headers["grpc-status"]).not.toBe("8");
  for (const put of puts) put.end();
  await Promise.all(puts.map((put) => once(put, "close")));
  const more = beginCall(session, "/tvix.castore.v1.BlobService/Put").resume();
  more.end(Buffer.from([0, 0, 0, 0, 0]));
  expect((await once(more, "trailers"))[0]["grpc-status"]).toBe("0");
});

test("a client that leaves while its token is looked at takes no place, and is not served", async () => {
  let known = (_: Caller) => {};
  const authenticator: Authenticator = {
    any: true,
    authenticate: () =>
      new Promise((resolve) => {
        known = resolve;
      }),
  };
  const caller: Caller = { name: "somebody", scope: "write", mayReplace: false, pathPrefix: undefined };
  const server = await runningServer({
    maxUploadsPerPrincipal: 1,
    access: { authenticators: [authenticator] },
  });
  onTestFinished(server.close);
  const put = () => {
    const body = Uint8Array.of(0, 0, 0, 0, 0);
    const headers = { "content-type": "application/connect+proto", authorization: "Bearer x" };
    const request = new AbortController();
    const { signal } = request;
    const url = `${server.url}/tvix.castore.v1.BlobService/Put`;
    return { request, answer: fetch(url, { method: "POST", headers, body, signal }) };
  };
  const left = put();
  const ignored = known;
  await expect.poll(() => known).not.toBe(ignored);
  const first = known;
  left.request.abort();
  await expect(left.answer).rejects.toThrow();
  // The server has seen it leave when it has answered somebody who came after.
  await (await fetch(`${server.url}/healthz`)).text();
  first(caller);
  const stays = put();
  await expect.poll(() => known).not.toBe(first);
  known(caller);
  const answer = await stays.answer;
  expect([answer.status, await answer.text()]).not.toContain(503);
  expect(answer.status).toBe(200);
});
