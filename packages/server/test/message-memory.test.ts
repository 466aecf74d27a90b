import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { MemoryLedger } from "@tvix/castore";
import { describe, expect, onTestFinished, test } from "vitest";
import { MessageBoundaries } from "../src/calls/message-boundary.ts";
import { beginCall, field, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

/** A request for a digest, with so many bytes of a field that nobody knows beside it. */
function longRequest(bytes: number): Buffer {
  return Buffer.concat([field([0x0a], 32).fill(7, 2), field([0xfa, 0x7f], bytes)]);
}

const STAT = "/tvix.castore.v1.BlobService/Stat";

async function overGrpc(url: string, body: Uint8Array, encoding = "identity"): Promise<string> {
  const session = connect(url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, STAT, { "grpc-encoding": encoding });
  stream.resume().end(body);
  let status = "";
  stream.on("response", (headers) => {
    status = String(headers["grpc-status"] ?? status);
  });
  stream.on("trailers", (headers) => {
    status = String(headers["grpc-status"] ?? status);
  });
  await over(stream);
  return status;
}

async function overGrpcWeb(url: string, body: Uint8Array, encoding = "identity"): Promise<string> {
  const headers = { "content-type": "application/grpc-web+proto", "grpc-encoding": encoding };
  const response = await fetch(`${url}${STAT}`, { method: "POST", headers, body: new Uint8Array(body) });
  const text = await response.text();
  return response.headers.get("grpc-status") ?? /grpc-status: ?(\d+)/.exec(text)?.[1] ?? "";
}

async function overConnect(url: string, body: Uint8Array, encoding = "identity"): Promise<string> {
  const headers = { "content-type": "application/proto", "content-encoding": encoding };
  const response = await fetch(`${url}${STAT}`, { method: "POST", headers, body: new Uint8Array(body) });
  const { code } = (await response.json()) as { code?: string };
  return code === "resource_exhausted" ? "8" : code === "not_found" ? "5" : `${code}`;
}

const DOORS = { gRPC: overGrpc, "gRPC-Web": overGrpcWeb, Connect: overConnect };

describe.each(Object.entries(DOORS))("messages over %s", (name, ask) => {
  const body = (message: Uint8Array, flags = 0) => (name === "Connect" ? message : framed(message, flags));

  test("wait for memory when they are long, and are refused when there is none", async () => {
    const memory = new MemoryLedger(4 << 20, { waitMs: 100 });
    const server = await runningServer({ memory });
    onTestFinished(server.close);
    expect(await ask(server.url, body(longRequest(2 << 20)))).toBe("5");
    expect(await ask(server.url, body(longRequest(8 << 20)))).toBe("8");
    await expect.poll(() => memory.held, { timeout: 5000 }).toBe(0);
    const held = await memory.hold(3 << 20, "other work");
    expect(await ask(server.url, body(longRequest(2 << 20)))).toBe("8");
    // Those of usual length need none.
    expect(await ask(server.url, body(longRequest(100)))).toBe("5");
    held.release();
    await expect.poll(() => memory.held).toBe(0);
  });

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ] as const)(
    "are not decompressed from %s before there is memory for what they may become",
    async (encoding, compress) => {
      const memory = new MemoryLedger(4 << 20, { waitMs: 100 });
      const server = await runningServer({ memory });
      onTestFinished(server.close);
      const bomb = compress(longRequest(16 << 20));
      expect(await ask(server.url, body(bomb, 1), encoding)).toBe("8");
      await expect.poll(() => memory.held).toBe(0);
    },
  );

  test("that are compressed are understood", async () => {
    const server = await runningServer({ memory: new MemoryLedger(4 << 20) });
    onTestFinished(server.close);
    expect(await ask(server.url, body(gzipSync(longRequest(100)), 1), "gzip")).toBe("5");
  });
});

test.each(["application/grpc-web+proto", "application/proto"])(
  "a connection of HTTP/1.1 goes on behind a message of %s that was refused",
  async (type) => {
    const server = await runningServer({ memory: new MemoryLedger(1 << 20, { waitMs: 100 }) });
    onTestFinished(server.close);
    const message = longRequest(8 << 20);
    const body = type === "application/proto" ? message : framed(message);
    const socket = connectTcp(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let answers = "";
    socket.on("data", (piece) => {
      answers += piece;
    });
    const head = `POST ${STAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    // All but the end, which comes behind the answer.
    socket.write(head);
    socket.write(body.subarray(0, -1));
    await expect.poll(() => answers).toMatch(/ 429 |grpc-status: ?8/);
    socket.write(body.subarray(-1));
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await expect.poll(() => answers).toContain("ok\n");
  },
);

test("a client of HTTP/1.1 that goes on sending what was refused loses its connection", async () => {
  const server = await runningServer({ memory: new MemoryLedger(1 << 20, { waitMs: 100 }) });
  onTestFinished(server.close);
  const socket = connectTcp(server.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.resume();
  socket.write(
    `POST ${STAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\nContent-Length: 30000000\r\n\r\n`,
  );
  const sending = setInterval(() => socket.write(Buffer.alloc(200_000)), 100);
  onTestFinished(() => clearInterval(sending));
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
});

test("the ends of messages are found, however they come", () => {
  const bytes = Buffer.concat([
    framed(Buffer.alloc(0)),
    framed(Buffer.alloc(300), 1),
    framed(Buffer.alloc(7)),
  ]);
  for (const step of [1, 2, 3, 7, 100, 1000]) {
    const boundaries = new MessageBoundaries();
    const ended = [];
    for (let at = 0; at < bytes.length; at += step)
      ended.push(...boundaries.see(bytes.subarray(at, at + step)));
    expect(ended).toEqual([
      { length: 0, isCompressed: false },
      { length: 300, isCompressed: true },
      { length: 7, isCompressed: false },
    ]);
    expect(boundaries.isBetweenMessages).toBe(true);
  }
});
