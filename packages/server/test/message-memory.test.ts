import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { MemoryBlobService, MemoryDirectoryService, MemoryLedger, UNLIMITED_MEMORY } from "@tvix/castore";
import { DirectorySchema } from "@tvix/protocol/tvix/castore";
import { MemoryPathInfoService, RenderingNarCalculation } from "@tvix/store";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { BegunMessage } from "../src/calls/begun-message.ts";
import { BinaryFieldCounter } from "../src/calls/field-counter.ts";
import { MessageBoundaries } from "../src/calls/message-boundary.ts";
import { RequestMemory } from "../src/calls/request-memory.ts";
import { beginCall, field, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

/** A path info without a node, which is refused with 3, with so many bytes of a field that nobody knows beside it. */
function longRequest(bytes: number): Buffer {
  return Buffer.concat([field([0x12], 0), field([0xfa, 0x7f], bytes)]);
}

/** One that takes long messages. */
const PUT = "/tvix.store.v1.PathInfoService/Put";

/** Some that take short ones. */
const QUESTIONS = [
  "/tvix.castore.v1.BlobService/Stat",
  "/snix.castore.v1.BlobService/Stat",
  "/snix.store.v1.PathInfoService/Get",
  "/tvix.store.v1.PathInfoService/CalculateNAR",
];

/** And of those some whose answer may be a stream, which Connect asks for in another way. */
const STREAMED = ["/snix.castore.v1.BlobService/Read", "/tvix.castore.v1.DirectoryService/Get"];

/** A server, over stores in memory, that takes path infos. */
async function servingPathInfos({ memory }: { readonly memory: MemoryLedger }) {
  const blobService = new MemoryBlobService();
  const directoryService = new MemoryDirectoryService();
  const narCalculationService = new RenderingNarCalculation({ blobService, directoryService });
  const store = { pathInfoService: new MemoryPathInfoService(), narCalculationService };
  return await runningServer({ memory, blobService, directoryService, store });
}

async function overGrpc(url: string, body: Uint8Array, encoding = "identity", path = PUT): Promise<string> {
  const session = connect(url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, path, { "grpc-encoding": encoding });
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

async function overGrpcWeb(
  url: string,
  body: Uint8Array,
  encoding = "identity",
  path = PUT,
): Promise<string> {
  const headers = { "content-type": "application/grpc-web+proto", "grpc-encoding": encoding };
  const response = await fetch(`${url}${path}`, { method: "POST", headers, body: new Uint8Array(body) });
  const text = await response.text();
  return response.headers.get("grpc-status") ?? /grpc-status: ?(\d+)/.exec(text)?.[1] ?? "";
}

async function overConnect(
  url: string,
  body: Uint8Array,
  encoding = "identity",
  path = PUT,
): Promise<string> {
  const headers = { "content-type": "application/proto", "content-encoding": encoding };
  const response = await fetch(`${url}${path}`, { method: "POST", headers, body: new Uint8Array(body) });
  const { code } = (await response.json()) as { code?: string };
  return code === "resource_exhausted" ? "8" : code === "invalid_argument" ? "3" : `${code}`;
}

const DOORS = { gRPC: overGrpc, "gRPC-Web": overGrpcWeb, Connect: overConnect };

describe.each(Object.entries(DOORS))("messages over %s", (name, ask) => {
  const body = (message: Uint8Array, flags = 0) => (name === "Connect" ? message : framed(message, flags));

  test("wait for memory when they are long, and are refused when there is none", async () => {
    const memory = new MemoryLedger(4 << 20, { waitMs: 100 });
    const server = await servingPathInfos({ memory });
    onTestFinished(server.close);
    expect(await ask(server.url, body(longRequest(2 << 20)))).toBe("3");
    expect(await ask(server.url, body(longRequest(8 << 20)))).toBe("8");
    await expect.poll(() => memory.held, { timeout: 5000 }).toBe(0);
    const held = await memory.hold(3 << 20, "other work");
    expect(await ask(server.url, body(longRequest(2 << 20)))).toBe("8");
    // Those of usual length need none.
    expect(await ask(server.url, body(longRequest(100)))).toBe("3");
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
      const server = await servingPathInfos({ memory });
      onTestFinished(server.close);
      const bomb = compress(longRequest(16 << 20));
      expect(await ask(server.url, body(bomb, 1), encoding)).toBe("8");
      await expect.poll(() => memory.held).toBe(0);
    },
  );

  test.each([...QUESTIONS, ...(name === "Connect" ? [] : STREAMED)])(
    "of %s are refused when they are long",
    async (path) => {
      // There would be memory for them.
      const server = await servingPathInfos({ memory: new MemoryLedger(64 << 20) });
      onTestFinished(server.close);
      const long = field([0xfa, 0x7f], 100_000);
      expect(await ask(server.url, body(long), "identity", path)).toBe("8");
      expect(await ask(server.url, body(gzipSync(long), 1), "gzip", path)).toBe("8");
      expect(await ask(server.url, body(Buffer.alloc(8_000_000)), "identity", path)).toBe("8");
    },
  );

  test("that are compressed are understood", async () => {
    const server = await servingPathInfos({ memory: new MemoryLedger(4 << 20) });
    onTestFinished(server.close);
    expect(await ask(server.url, body(gzipSync(longRequest(100)), 1), "gzip")).toBe("3");
  });
});

test.each(["application/grpc-web+proto", "application/proto"])(
  "a connection of HTTP/1.1 goes on behind a message of %s that was refused",
  async (type) => {
    const server = await servingPathInfos({ memory: new MemoryLedger(1 << 20, { waitMs: 100 }) });
    onTestFinished(server.close);
    const message = longRequest(8 << 20);
    const body = type === "application/proto" ? message : framed(message);
    const socket = connectTcp(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let answers = "";
    socket.on("data", (piece) => {
      answers += piece;
    });
    const head = `POST ${PUT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
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
  const server = await servingPathInfos({ memory: new MemoryLedger(1 << 20, { waitMs: 100 }) });
  onTestFinished(server.close);
  const socket = connectTcp(server.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.resume();
  socket.write(
    `POST ${PUT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\nContent-Length: 30000000\r\n\r\n`,
  );
  const sending = setInterval(() => socket.write(Buffer.alloc(200_000)), 100);
  onTestFinished(() => clearInterval(sending));
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
});

describe.each(Object.entries(DOORS))("messages that are nothing but fields, over %s", (name, ask) => {
  const body = (message: Uint8Array, flags = 0) => (name === "Connect" ? message : framed(message, flags));

  test.each([
    ["of which nobody knows", [0xf8, 0x7f, 0]],
    ["of which there may be one", [0x0a, 0]],
  ])("%s are refused before they are parsed, and cost nobody else", async (_, one) => {
    const memory = new MemoryLedger(64 << 20, { waitMs: 100 });
    const server = await servingPathInfos({ memory });
    onTestFinished(server.close);
    const dense = Buffer.alloc(one.length << 20, Uint8Array.from(one));
    expect(await ask(server.url, body(dense))).toBe("8");
    for (const [encoding, compress] of [
      ["gzip", gzipSync],
      ["br", brotliCompressSync],
    ] as const) {
      expect(await ask(server.url, body(compress(dense), 1), encoding)).toBe("8");
    }
    await expect.poll(() => memory.held, { timeout: 5000 }).toBe(0);
    // As many bytes of one field are none of these.
    expect(await ask(server.url, body(longRequest(2 << 20)))).toBe("3");
  });
});

test("a message is decompressed as the header says that its protocol has, and no other", async () => {
  const server = await servingPathInfos({ memory: new MemoryLedger(4 << 20, { waitMs: 100 }) });
  onTestFinished(server.close);
  const bomb = framed(gzipSync(Buffer.alloc(16 << 20)), 1);
  const names = ["grpc-encoding", "connect-content-encoding"];
  for (const [type, read] of [
    ["application/connect+proto", "connect-content-encoding"],
    ["application/grpc-web+proto", "grpc-encoding"],
  ] as const) {
    const encodings = Object.fromEntries(names.map((name) => [name, name === read ? "gzip" : "identity"]));
    const headers = { "content-type": type, ...encodings };
    const path = "/tvix.castore.v1.DirectoryService/Put";
    const response = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers,
      body: new Uint8Array(bomb),
    });
    const told = `${response.headers.get("grpc-message")} ${await response.text()}`;
    expect(decodeURIComponent(told)).toMatch(/memory/);
  }
});

test.each([
  ["alone", Buffer.alloc(0)],
  ["behind another", framed(Buffer.alloc(0))],
])("a message that is too long is refused by its head, %s", async (_, before) => {
  const server = await servingPathInfos({ memory: new MemoryLedger(64 << 20) });
  onTestFinished(server.close);
  const session = connect(server.url);
  onTestFinished(() => session.destroy());
  const stream = beginCall(session, "/tvix.castore.v1.DirectoryService/Put").resume();
  const trailers = once(stream, "trailers");
  stream.write(Buffer.concat([before, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])]));
  expect((await trailers)[0]).toMatchObject({ "grpc-status": "8" });
});

test("a message that never has enough memory is not waited for", async () => {
  const server = await servingPathInfos({ memory: new MemoryLedger(48 << 20) });
  onTestFinished(server.close);
  for (const path of [PUT, "/tvix.castore.v1.DirectoryService/Put"]) {
    const session = connect(server.url);
    onTestFinished(() => session.destroy());
    const stream = beginCall(session, path).resume();
    const trailers = once(stream, "trailers");
    // Some of it, so that it is not taken for a short one.
    stream.write(Buffer.concat([Buffer.from([0, 0x01, 0xc9, 0xc3, 0x80]), Buffer.alloc(2000)]));
    expect((await trailers)[0]).toMatchObject({
      "grpc-status": "8",
      "grpc-message": expect.stringContaining("30000000"),
    });
  }
});

test("what is gathered has no more than twice its length, and is given back at once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(200_000), { minLength: 1, maxLength: 10 }),
      fc.boolean(),
      (lengths, isKnown) => {
        const whole = isKnown ? lengths.reduce((sum, length) => sum + length, 0) : undefined;
        const begun = new BegunMessage();
        for (const [index, length] of lengths.entries()) {
          const room = begun.roomFor(length, whole);
          begun.add(new Uint8Array(length).fill(index + 1), whole);
          expect(begun.bytes.buffer.byteLength).toBe(room);
          expect(room).toBeLessThanOrEqual(whole ?? Math.max(4096, 2 * begun.length));
        }
        const expected = lengths.map((length, index) => Buffer.alloc(length, index + 1));
        expect(Buffer.compare(begun.bytes, Buffer.concat(expected))).toBe(0);
        const { buffer } = begun.bytes;
        begun.release();
        expect(buffer.byteLength).toBe(0);
        expect(begun.length).toBe(0);
      },
    ),
  );
});

test("a directory of entries without anything in them is refused, in JSON as well", async () => {
  const server = await servingPathInfos({ memory: new MemoryLedger(64 << 20, { waitMs: 100 }) });
  onTestFinished(server.close);
  const path = `${server.url}/tvix.castore.v1.DirectoryService/Put`;
  const post = async (type: string, message: Uint8Array) => {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": type },
      body: new Uint8Array(framed(message)),
    });
    return await response.text();
  };
  expect(await post("application/connect+proto", Buffer.alloc(4 << 20, Uint8Array.of(0x12, 0)))).toContain(
    "resource_exhausted",
  );
  const json = Buffer.from(`{"files":[${Array(1 << 20).fill("{}")}]}`);
  expect(await post("application/connect+json", json)).toContain("resource_exhausted");
});

test("fields are counted within messages, however they come", () => {
  const bytes = (least: number) => fc.uint8Array({ minLength: least, maxLength: 40 });
  const directory = fc.record({
    directories: fc.array(
      fc.record({ name: bytes(1), digest: bytes(1), size: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }) }),
    ),
    files: fc.array(
      fc.record({ name: bytes(1), digest: bytes(1), size: fc.constant(300n), executable: fc.boolean() }),
    ),
    symlinks: fc.array(fc.record({ name: bytes(1), target: bytes(0) })),
  });
  fc.assert(
    fc.property(directory, fc.integer({ min: 1, max: 50 }), (message, step) => {
      const { directories, files, symlinks } = message;
      const expected =
        4 * directories.length +
        files.reduce((sum, { executable }) => sum + (executable ? 5 : 4), 0) +
        symlinks.reduce((sum, { target }) => sum + (target.length > 0 ? 3 : 2), 0);
      const encoded = toBinary(DirectorySchema, create(DirectorySchema, message));
      const counter = new BinaryFieldCounter(DirectorySchema);
      for (let at = 0; at < encoded.length; at += step) counter.see(encoded.subarray(at, at + step));
      expect(counter.fields).toBe(expected);
    }),
  );
});

test("what is no message is counted to where it breaks off, and ends", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const counter = new BinaryFieldCounter(DirectorySchema);
      counter.see(bytes);
      expect(counter.fields).toBeLessThanOrEqual(bytes.length);
    }),
  );
});

test("the ends of messages are found, however they come", () => {
  const bytes = Buffer.concat([
    framed(Buffer.alloc(0)),
    framed(Buffer.alloc(300), 1),
    framed(Buffer.alloc(7)),
  ]);
  for (const step of [1, 2, 3, 7, 100, 1000]) {
    const boundaries = new MessageBoundaries(() => new BinaryFieldCounter(undefined));
    const ended = [];
    for (let at = 0; at < bytes.length; at += step)
      ended.push(...boundaries.see(bytes.subarray(at, at + step)).ended);
    expect(ended).toEqual([
      { length: 0, isCompressed: false, beyond: 0 },
      { length: 300, isCompressed: true, beyond: 0 },
      { length: 7, isCompressed: false, beyond: 0 },
    ]);
    expect(boundaries.isBetweenMessages).toBe(true);
  }
});

test("a piece of many messages is given on in parts, whole and in order", async () => {
  const anyMessage = fc.uint8Array({ maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(anyMessage, { maxLength: 200 }), fc.nat(2000), async (messages, cut) => {
      const bytes = Buffer.concat(messages.map((message) => framed(message)));
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
      const memory = new RequestMemory({
        memory: UNLIMITED_MEMORY,
        signal: new AbortController().signal,
        maxMessageBytes: 100,
        isUnary: false,
        makeCounter: () => new BinaryFieldCounter(undefined),
        encoding: undefined,
        announcedBytes: undefined,
        onBoundary: undefined,
      });
      // What is given is there until the next one is asked for.
      const parts = await Array.fromAsync(memory.watch(inPieces(pieces)), (part) => Buffer.from(part));
      expect(Buffer.concat(parts)).toEqual(bytes);
      const boundaries = new MessageBoundaries(() => new BinaryFieldCounter(undefined));
      for (const part of parts) {
        const { length, ended } = boundaries.see(part);
        expect(length).toBe(part.length);
        expect(ended.length).toBeLessThanOrEqual(32);
      }
      memory.release();
    }),
  );
});

async function* inPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}
