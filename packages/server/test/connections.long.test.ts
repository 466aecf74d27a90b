import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, createServer, type ServerHttp2Session } from "node:http2";
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { collect } from "@tvix/byte-stream";
import { B3Digest, type BlobService, Directory, MemoryBlobService, PathComponent } from "@tvix/castore";
import { ingest, restore } from "@tvix/castore-fs";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport, type GrpcTransportOptions } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { GetDirectoryRequestSchema, ReadBlobRequestSchema } from "@tvix/protocol/tvix/castore";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { framed } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";
import { endDaemon, startDaemon } from "./tvix-store.ts";

const DIRECTORY_GET = "/tvix.castore.v1.DirectoryService/Get";
const BLOB_READ = "/tvix.castore.v1.BlobService/Read";

function transportTo(url: string, options: GrpcTransportOptions = {}) {
  const transport = createGrpcTransport({ url }, options);
  onTestFinished(async () => await transport.close());
  return transport;
}

/** Begins a call as any client of gRPC does, with Node's own settings. */
function beginCall(session: ReturnType<typeof connect>, path: string, message: Uint8Array) {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(framed(message));
  return stream;
}

function sessionTo(url: string) {
  const session = connect(url);
  session.on("error", () => {});
  session.setMaxListeners(0);
  onTestFinished(() => session.destroy());
  return session;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("every call that is offered can be used", () => {
  test("150 blobs of 6 MB at once on one connection, read by a client that has them all open", async () => {
    const store = await openStore(join(await temporaryDirectory(), "data"), { sync: false });
    onTestFinished(async () => await store.close());
    const contents = Buffer.alloc(6_000_000);
    for (let at = 0; at < contents.length; at += 4) contents.writeUInt32LE((at * 2654435761) >>> 0, at);
    const digest = await store.blobService.put(contents);
    const { url, close } = await runningServer({ blobService: store.blobService });
    const session = sessionTo(url);
    const request = toBinary(ReadBlobRequestSchema, create(ReadBlobRequestSchema, { digest: digest.bytes }));
    const outcomes = await Promise.all(
      Array.from({ length: 150 }, async () => {
        const stream = beginCall(session, BLOB_READ, request);
        let length = 0;
        let status: unknown;
        stream.on("trailers", (trailers) => {
          status = trailers["grpc-status"];
        });
        for await (const piece of stream) length += piece.length;
        return { status, isWhole: length >= contents.length };
      }),
    );
    expect(outcomes.filter(({ status, isWhole }) => status === "0" && isWhole)).toHaveLength(150);
    session.destroy();
    await close();
  });

  test("5000 directories of which the first message is taken and the rest is not", async () => {
    const { url, directoryService, close } = await runningServer();
    const digest = await directoryService.put(Directory.of([]));
    const session = sessionTo(url);
    const byWhat = { case: "digest" as const, value: digest.bytes };
    const request = toBinary(GetDirectoryRequestSchema, create(GetDirectoryRequestSchema, { byWhat }));
    for (let round = 0; round < 100; round++) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stream = beginCall(session, DIRECTORY_GET, request);
          stream.on("error", () => {});
          await once(stream, "data");
          stream.close(8);
          await once(stream, "close");
        }),
      );
    }
    expect(session.closed).toBe(false);
    session.destroy();
    await close();
  });

  test("2000 directories through the client of this package: none is reset", async () => {
    const { url, directoryService, server } = await runningServer();
    const directories = Array.from({ length: 2000 }, (_, index) =>
      Directory.of([
        {
          name: PathComponent.from(new TextEncoder().encode(`${index}`)),
          node: { type: "file", digest: B3Digest.of(new Uint8Array(0)), size: 0n, executable: false },
        },
      ]),
    );
    const digests = [];
    for (const directory of directories) digests.push(await directoryService.put(directory));
    const service = new GrpcDirectoryService(transportTo(url));
    for (const digest of digests) expect((await service.get(digest))?.digest().equals(digest)).toBe(true);
    await server.close();
  });

  test("a client that does nothing but begin calls and take them back does not hold up others", async () => {
    const { url, directoryService, close } = await runningServer();
    const digest = await directoryService.put(Directory.of([]));
    const session = sessionTo(url);
    const byWhat = { case: "digest" as const, value: digest.bytes };
    const request = toBinary(GetDirectoryRequestSchema, create(GetDirectoryRequestSchema, { byWhat }));
    let floods = true;
    const flooding = (async () => {
      while (floods && !session.destroyed) {
        for (let index = 0; index < 100 && !session.destroyed; index++) {
          const stream = beginCall(session, DIRECTORY_GET, request);
          stream.on("error", () => {});
          stream.close(8);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const service = new GrpcDirectoryService(transportTo(url));
    for (let asked = 0; asked < 20; asked++) expect(await service.get(digest)).toBeDefined();
    floods = false;
    await flooding;
    session.destroy();
    await close();
  });
});

describe("a connection that ends", () => {
  /** A proxy that ends each connection after so many calls, as many do. */
  async function startProxy(to: string, calls: number): Promise<{ url: string; connections: () => number }> {
    const upstream = sessionTo(to);
    let connections = 0;
    const proxy = createServer();
    proxy.on("session", (session: ServerHttp2Session) => {
      connections++;
      let begun = 0;
      session.on("stream", (stream, { ":authority": _, ...headers }) => {
        if (++begun === calls) session.close();
        const onward = upstream.request(headers, { endStream: false });
        let trailers = {};
        stream.on("error", () => {});
        onward.on("error", () => stream.destroy());
        stream.pipe(onward);
        onward.on("response", (response) => {
          stream.respond(response, { waitForTrailers: true });
          onward.pipe(stream);
        });
        onward.on("trailers", (received) => {
          trailers = received;
        });
        stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      });
    });
    const url = await listening(proxy as unknown as Server);
    onTestFinished(() => void proxy.close());
    return { url, connections: () => connections };
  }

  test("after every 50 calls: puts and reads go on over the next one", async () => {
    const { url, close } = await runningServer();
    const proxy = await startProxy(url, 50);
    const blobs = new GrpcBlobService(transportTo(proxy.url));
    const pieces = Array.from({ length: 1000 }, (_, index) => Buffer.from(`contents ${index}`));
    const digests = await Promise.all(pieces.map((piece) => blobs.put(piece)));
    const read = await Promise.all(
      digests.map(async (digest) => await collect((await blobs.read(digest)) ?? [], 1000)),
    );
    expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(pieces.map(String));
    expect(proxy.connections()).toBeGreaterThan(20);
    await close();
  });

  test("because the daemon is killed and started anew: a tree goes in and comes out", async () => {
    const directory = await temporaryDirectory();
    const tree = join(directory, "tree");
    await mkdir(join(tree, "below"), { recursive: true });
    for (let index = 0; index < 300; index++) {
      const contents = Buffer.alloc(index % 30 === 0 ? 3_000_000 : 30_000, `${index} `);
      await writeFile(join(tree, index % 2 === 0 ? "below" : ".", `${index}`), contents);
    }
    const data = join(directory, "data");
    const first = await startDaemon(data);
    const port = new URL(first.url).port;
    const transport = transportTo(first.url);
    const services = {
      blobService: new GrpcBlobService(transport),
      directoryService: new GrpcDirectoryService(transport),
    };
    let killed: Promise<unknown> | undefined;
    const restart = async () => {
      await endDaemon(first, "SIGKILL");
      return await startDaemon(data, "--listen-address", `127.0.0.1:${port}`);
    };
    const node = await ingest(tree, services, {
      onProgress: ({ entries }) => {
        if (entries >= 100) killed ??= restart();
      },
    });
    const second = (await killed) as typeof first;
    let restarted: Promise<unknown> | undefined;
    await restore(node, join(directory, "out"), services, {
      onProgress: ({ entries }) => {
        if (entries < 100) return;
        restarted ??= endDaemon(second, "SIGKILL").then(() =>
          startDaemon(data, "--listen-address", `127.0.0.1:${port}`),
        );
      },
    });
    await restarted;
    const { blobService, directoryService } = await runningServer();
    const again = await ingest(join(directory, "out"), { blobService, directoryService });
    expect(again).toEqual(node);
  });

  test("in the middle of a long blob: the rest is read from the next one, and not a byte twice", async () => {
    const contents = Buffer.alloc(20_000_000);
    for (let at = 0; at < contents.length; at += 4) contents.writeUInt32LE((at * 2654435761) >>> 0, at);
    const blobService = new MemoryBlobService();
    const digest = await blobService.put(contents);
    const connections: Socket[] = [];
    let cuts = 0;
    const breaking: BlobService = {
      has: (...args) => blobService.has(...args),
      put: (...args) => blobService.put(...args),
      chunks: (...args) => blobService.chunks(...args),
      async read(...args) {
        const stream = await blobService.read(...args);
        if (stream === undefined || cuts === 2) return stream;
        const most = 6_000_000 * ++cuts;
        async function* cut() {
          let length = 0;
          for await (const piece of stream ?? []) {
            yield piece;
            length += piece.length;
            if (length >= most) for (const socket of connections) socket.destroy();
          }
        }
        return cut();
      },
    };
    const { url, close } = await runningServer({ blobService: breaking });
    // Each connection goes through here, so that it can be cut.
    const relay = createTcpServer((socket) => {
      const onward = connectTcp(Number(new URL(url).port), "127.0.0.1");
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) {
        end.on("error", () => {});
        end.on("close", () => [socket, onward].map((other) => other.destroy()));
      }
      connections.push(socket);
    });
    const relayUrl = await listening(relay);
    onTestFinished(() => void relay.close());
    const stream = await new GrpcBlobService(transportTo(relayUrl)).read(digest);
    expect(contents.equals(await collect(stream ?? [], 30_000_000))).toBe(true);
    expect(cuts).toBe(2);
    await close();
  });
});

describe("a server that says nothing", () => {
  test("to a connection: given up in time, and told what is wrong", async () => {
    const silent = createTcpServer(() => {});
    const url = await listening(silent);
    onTestFinished(() => void silent.close());
    const blobs = new GrpcBlobService(transportTo(url, { connectTimeoutMs: 200 }));
    await expect(blobs.has(B3Digest.of(new Uint8Array(1)))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("takes connections, but has not answered, within 0.2 s"),
    });
  });

  test("any more: a ping that is not answered ends the call", async () => {
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const transport = transportTo(daemon.url, { keepaliveMs: 200, connectTimeoutMs: 200, reconnectMs: 0 });
    const blobs = new GrpcBlobService(transport);
    const digest = B3Digest.of(new Uint8Array(1));
    expect(await blobs.has(digest)).toBe(false);
    daemon.process.kill("SIGSTOP");
    await expect(blobs.has(digest)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    daemon.process.kill("SIGCONT");
    expect(await blobs.has(digest)).toBe(false);
  });

  test("about one call, although it answers pings: given up after the stall limit", async () => {
    const memory = new MemoryBlobService();
    const hanging: BlobService = {
      has: (...args) => memory.has(...args),
      put: (...args) => memory.put(...args),
      read: (...args) => memory.read(...args),
      chunks: (digest) =>
        digest.equals(B3Digest.of(new Uint8Array(0))) ? memory.chunks(digest) : new Promise(() => {}),
    };
    const { url, server } = await runningServer({ blobService: hanging });
    const blobs = new GrpcBlobService(transportTo(url, { stallTimeoutMs: 300, keepaliveMs: 100 }));
    await expect(blobs.chunks(B3Digest.of(new Uint8Array(1)))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("nothing has come for this call for 0.3 s"),
    });
    await server.close(100);
  });
});

test.each([
  ["localhost:8000", "expected http://host:port"],
  ["http://localhost:8000/prefix", "a path is not supported"],
  ["http://user@localhost:8000", "nothing but a host and a port"],
  ["nonsense", "expected http://host:port"],
  ["ftp://localhost", "expected http://host:port"],
])("a transport to %s is refused by name", (url, why) => {
  expect(() => createGrpcTransport({ url })).toThrow(why);
});

test("more connections than there may be are closed at once, and the others go on", async () => {
  const { port, url, close } = await runningServer({ maxConnections: 20 });
  const held = await Promise.all(
    Array.from({ length: 19 }, async () => {
      const socket = connectTcp(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    }),
  );
  const over = Array.from({ length: 30 }, () => connectTcp(port, "127.0.0.1").on("error", () => {}));
  const closed = await Promise.all(over.slice(1).map((socket) => once(socket, "close")));
  expect(closed).toHaveLength(29);
  for (const socket of [...held, ...over]) socket.destroy();
  const health = async () => (await fetch(`${url}/healthz`)).status;
  await expect.poll(() => health().catch(() => 0)).toBe(200);
  await close();
});

describe("a directory of many entries", () => {
  const entries = Array.from({ length: 80_000 }, (_, index) => ({
    name: PathComponent.from(new TextEncoder().encode(`some-file-name-${index}.txt`)),
    node: { type: "file" as const, digest: B3Digest.of(new Uint8Array(0)), size: 0n, executable: false },
  }));

  test("goes over the wire in both directions", async () => {
    const { url, close } = await runningServer();
    const service = new GrpcDirectoryService(transportTo(url));
    const directory = Directory.of(entries);
    const digest = await service.put(directory);
    expect((await service.get(digest))?.entries).toHaveLength(entries.length);
    await close();
  });

  test("too long: refused at every door, by the client before a file is sent", async () => {
    const directory = await temporaryDirectory();
    const tree = join(directory, "tree");
    await mkdir(tree);
    for (let index = 0; index < 300; index++) await writeFile(join(tree, `${index}`.padStart(250, "x")), "x");
    const maxDirectoryBytes = 64 << 10;
    const { url, blobService, directoryService, close } = await runningServer();
    const remote = new GrpcDirectoryService(transportTo(url), { maxDirectoryBytes });
    const refusal = { code: "TOO_LARGE", message: expect.stringContaining("no more than 65536 are taken") };
    await expect(ingest(tree, { blobService, directoryService: remote })).rejects.toMatchObject(refusal);
    expect(await blobService.has(B3Digest.of(Buffer.from("x")))).toBe(false);
    const long = Directory.of(entries);
    await expect(remote.put(long)).rejects.toMatchObject(refusal);
    const store = await openStore(join(directory, "data"), { sync: false, maxDirectoryBytes });
    await expect(store.directoryService.put(long)).rejects.toMatchObject(refusal);
    await expect(ingest(tree, store)).rejects.toMatchObject(refusal);
    const served = await runningServer({ directoryService: store.directoryService });
    await expect(new GrpcDirectoryService(transportTo(served.url)).put(long)).rejects.toMatchObject(refusal);
    await served.close();
    await store.close();
    expect(await directoryService.get(long.digest())).toBeUndefined();
    await close();
  });
});
