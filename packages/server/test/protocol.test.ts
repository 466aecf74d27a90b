import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport as createConnectGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runningServer } from "./running-server.ts";

const PROTOS = join(import.meta.dirname, "../../../protos");

let server: Awaited<ReturnType<typeof runningServer>>;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(async () => await server.close());

// biome-ignore lint/suspicious/noExplicitAny: what grpc-js loads has no types
function grpcJsClient(file: string, service: string): any {
  const definition = protoLoader.loadSync(join(PROTOS, file), {
    includeDirs: [PROTOS],
    longs: BigInt as never,
  });
  // biome-ignore lint/suspicious/noExplicitAny: what grpc-js loads has no types
  const packages: any = grpc.loadPackageDefinition(definition);
  const Service = service.split(".").reduce((scope, name) => scope[name], packages);
  return new Service(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
}

describe("@grpc/grpc-js, an independent client", () => {
  test.each(["tvix", "snix"])("puts, reads and stats a blob of %s", async (namespace) => {
    const client = grpcJsClient(
      `${namespace}/castore/v1/rpc_blobstore.proto`,
      `${namespace}.castore.v1.BlobService`,
    );
    const bytes = Buffer.from(fixtures.pseudoRandomBytes(2_000_000, namespace.length));
    const digest = await new Promise<Buffer>((resolve, reject) => {
      const call = client.put((error: Error | null, response: { digest: Buffer }) =>
        error ? reject(error) : resolve(response.digest),
      );
      for (let start = 0; start < bytes.length; start += 300_000)
        call.write({ data: bytes.subarray(start, start + 300_000) });
      call.end();
    });
    expect(digest.toString("hex")).toBe(B3Digest.of(bytes).toHex());

    const pieces: Buffer[] = [];
    for await (const { data } of client.read({ digest })) pieces.push(data);
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);

    const stat = await new Promise<{ chunks: { size: bigint }[] }>((resolve, reject) =>
      client.stat({ digest }, (error: Error | null, response: never) =>
        error ? reject(error) : resolve(response),
      ),
    );
    expect(stat.chunks.reduce((sum, { size }) => sum + Number(size), 0)).toBe(bytes.length);

    const missing = await new Promise<grpc.ServiceError>((resolve) => {
      client
        .read({ digest: Buffer.alloc(32) })
        .on("error", resolve)
        .on("data", () => {});
    });
    expect(missing).toMatchObject({
      code: grpc.status.NOT_FOUND,
      details: expect.stringMatching(/^blob blake3-A+= not found$/),
    });
    client.close();
  });

  test("a deadline that has passed ends a put", async () => {
    const client = grpcJsClient("tvix/castore/v1/rpc_blobstore.proto", "tvix.castore.v1.BlobService");
    const error = await new Promise<grpc.ServiceError>((resolve) => {
      client.put({ deadline: Date.now() + 100 }, resolve);
    });
    expect(error.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    client.close();
  });

  test.each(["v1", "v1alpha"])("asks reflection %s", async (version) => {
    const client = grpcJsClient(
      `grpc/reflection/${version}/reflection.proto`,
      `grpc.reflection.${version}.ServerReflection`,
    );
    const call = client.serverReflectionInfo();
    const answers: Record<string, unknown>[] = [];
    const ended = new Promise((resolve) =>
      call.on("data", (answer: never) => answers.push(answer)).on("end", resolve),
    );
    call.write({ listServices: "" });
    call.write({ fileContainingSymbol: "tvix.castore.v1.StatBlobResponse.ChunkMeta" });
    call.write({ fileContainingSymbol: "tvix.castore.v1.BlobService.Put" });
    call.write({ fileByFilename: "tvix/castore/v1/castore.proto" });
    call.write({ fileContainingSymbol: "no.such.Thing" });
    call.write({ allExtensionNumbersOfType: "tvix.castore.v1.Directory" });
    call.write({});
    call.end();
    await ended;
    const names = (
      answers[0] as { listServicesResponse: { service: { name: string }[] } }
    ).listServicesResponse.service.map(({ name }) => name);
    expect(names).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "snix.castore.v1.BlobService",
      "snix.castore.v1.DirectoryService",
      "tvix.castore.v1.BlobService",
      "tvix.castore.v1.DirectoryService",
      "tvix_ts.castore.v1.BatchService",
      "tvix_ts.castore.v1.ChunkExchangeService",
    ]);
    for (const answer of answers.slice(1, 4)) {
      const files = (answer as { fileDescriptorResponse: { fileDescriptorProto: Buffer[] } })
        .fileDescriptorResponse.fileDescriptorProto;
      expect(files.length).toBeGreaterThan(0);
    }
    expect(answers[4]).toMatchObject({
      errorResponse: { errorCode: 5, errorMessage: "symbol not found: no.such.Thing" },
    });
    expect(answers[5]).toMatchObject({
      allExtensionNumbersResponse: { baseTypeName: "tvix.castore.v1.Directory" },
    });
    expect(answers[6]).toMatchObject({ errorResponse: { errorCode: 3 } });
    client.close();
  });

  test("checks and watches health", async () => {
    const own = await runningServer();
    const definition = protoLoader.loadSync(join(PROTOS, "grpc/health/v1/health.proto"));
    // biome-ignore lint/suspicious/noExplicitAny: what grpc-js loads has no types
    const packages: any = grpc.loadPackageDefinition(definition);
    const client = new packages.grpc.health.v1.Health(
      `127.0.0.1:${own.port}`,
      grpc.credentials.createInsecure(),
    );
    const check = (service: string) =>
      new Promise<unknown>((resolve) =>
        client.check({ service }, (error: unknown, response: unknown) => resolve(error ?? response)),
      );
    for (const service of ["", "tvix.castore.v1.BlobService", "snix.castore.v1.DirectoryService"]) {
      expect(await check(service)).toMatchObject({ status: 1 });
    }
    expect(await check("no.such.Service")).toMatchObject({ code: grpc.status.NOT_FOUND });

    const statuses: unknown[] = [];
    const watch = client.watch({ service: "tvix.castore.v1.BlobService" });
    const unknown = client.watch({ service: "no.such.Service" });
    const [first] = await once(unknown, "data");
    expect(first).toMatchObject({ status: 3 });
    unknown.on("error", () => {}).cancel();
    watch.on("data", ({ status }: { status: number }) => statuses.push(status)).on("error", () => {});
    await once(watch, "data");
    const closed = own.server.close(200);
    await once(watch, "data");
    expect(statuses).toEqual([1, 2]);
    await closed;
    client.close();
  });
});

describe("one port", () => {
  test("answers /healthz over HTTP/1.1 and HTTP/2", async () => {
    const response = await fetch(`${server.url}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, "ok\n"]);

    const session = connectHttp2(server.url);
    const request = session.request({ ":path": "/healthz" });
    const [headers] = await once(request, "response");
    expect(headers[":status"]).toBe(200);
    session.close();
  });

  test("answers what is not there with 404, and tells no path", async () => {
    for (const path of ["/nope", "/web/nope", "/../../etc/passwd", "/%2e%2e/%00", `/${"x".repeat(8000)}`]) {
      const response = await fetch(server.url + path);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
      expect(await response.text()).not.toMatch(/node_modules|at .*\.js/);
    }
  });

  test("takes a preface that arrives byte by byte, and survives what is no protocol at all", async () => {
    const socket = connectSocket(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.setNoDelay(true);
    for (const byte of Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1")) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [settings] = await once(socket, "data");
    expect(settings[3]).toBe(constants.NGHTTP2_FLAG_NONE + 4);
    socket.destroy();

    const garbage = connectSocket(server.port, "127.0.0.1");
    garbage.write("PRI * HTTP/1.1 nonsense\r\n\r\n\xff\xff");
    const [answer] = await once(garbage, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400/);
    garbage.destroy();
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test("lets pages of named origins in, and no others", async () => {
    const own = await runningServer({ corsOrigins: ["https://good.example"] });
    const preflight = async (url: string, origin: string) =>
      await fetch(`${url}/tvix.castore.v1.BlobService/Stat`, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type",
        },
      });
    const good = await preflight(own.url, "https://good.example");
    expect(good.headers.get("access-control-allow-origin")).toBe("https://good.example");
    const bad = await preflight(own.url, "https://bad.example");
    expect(bad.headers.get("access-control-allow-origin")).toBeNull();
    const none = await preflight(server.url, "https://good.example");
    expect(none.headers.get("access-control-allow-origin")).toBeNull();
    await own.close();
  });
});

describe("gRPC framed by hand", () => {
  const call = async (frames: Uint8Array[], headers: Record<string, string> = {}) => {
    const session = connectHttp2(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/tvix.castore.v1.BlobService/Put",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => {});
    let trailers: Record<string, unknown> = {};
    stream
      .on("response", (response) => Object.assign(trailers, response))
      .on("trailers", (received) => {
        trailers = { ...trailers, ...received };
      });
    const pieces: Buffer[] = [];
    stream.on("data", (piece) => pieces.push(piece));
    for (const frame of frames) stream.write(frame);
    stream.end();
    await once(stream, "close");
    session.close();
    return {
      status: Number(trailers["grpc-status"]),
      message: trailers["grpc-message"],
      body: Buffer.concat(pieces),
    };
  };
  const frame = (message: number[], flag = 0) => Uint8Array.of(flag, 0, 0, 0, message.length, ...message);
  const digestIn = (body: Buffer) => body.subarray(-32).toString("hex");

  test("takes messages split anywhere", async () => {
    const whole = [...frame([0x0a, 3, 1, 2, 3]), ...frame([0x0a, 2, 4, 5])];
    for (let at = 1; at < whole.length; at++) {
      const { status, body } = await call([
        Uint8Array.from(whole.slice(0, at)),
        Uint8Array.from(whole.slice(at)),
      ]);
      expect(status).toBe(0);
      expect(digestIn(body)).toBe(B3Digest.of(Uint8Array.of(1, 2, 3, 4, 5)).toHex());
    }
  });

  test.each([
    ["an empty message", [frame([])], []],
    ["unknown fields behind the data", [frame([0x0a, 1, 7, 0x10, 5])], [7]],
    ["unknown fields before the data", [frame([0x10, 5, 0x0a, 1, 7])], [7]],
    ["the data twice: the last one counts", [frame([0x0a, 1, 6, 0x0a, 1, 7])], [7]],
    ["a length in more bytes than needed", [frame([0x0a, 0x81, 0x00, 7])], [7]],
  ])("takes %s", async (_, frames, expected) => {
    const { status, body } = await call(frames);
    expect(status).toBe(0);
    expect(digestIn(body)).toBe(B3Digest.of(Uint8Array.from(expected)).toHex());
  });

  test.each([
    ["a message cut off", [Uint8Array.of(0, 0, 0, 0, 9, 0x0a, 7, 1)], Code.InvalidArgument],
    ["a head cut off", [Uint8Array.of(0, 0, 0)], Code.InvalidArgument],
    ["a field longer than its message", [frame([0x0a, 200, 1, 2])], Code.InvalidArgument],
    ["a compressed message without a compression", [frame([1, 2, 3], 1)], Code.Unimplemented],
    ["a message of 4 GiB", [Uint8Array.of(0, 255, 255, 255, 255)], Code.ResourceExhausted],
  ])("refuses %s", async (_, frames, code) => {
    expect((await call(frames)).status).toBe(code);
  });

  test("refuses a request that is no message as the client's mistake", async () => {
    const { status, message } = await call([frame([0xff, 0xff])], {
      ":path": "/tvix.castore.v1.BlobService/Read",
    });
    expect([status, message]).toEqual([Code.InvalidArgument, "message is no ReadBlobRequest"]);
  });

  test("ends a put whose deadline has passed", async () => {
    const session = connectHttp2(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/tvix.castore.v1.BlobService/Put",
      "content-type": "application/grpc+proto",
      "grpc-timeout": "50m",
    });
    stream.on("error", () => {});
    stream.write(frame([0x0a, 1, 7]));
    const [headers] = await once(stream, "response");
    expect(headers["grpc-status"]).toBe(String(Code.DeadlineExceeded));
    session.close();
  });

  test("stores nothing of a put that was reset", async () => {
    const transport = createGrpcTransport({ url: server.url });
    const blobs = createClient(BlobService, transport);
    const controller = new AbortController();
    const bytes = fixtures.pseudoRandomBytes(100_000, 77);
    async function* source() {
      yield { data: bytes };
      controller.abort();
      yield { data: Uint8Array.of(1) };
    }
    await expect(blobs.put(source(), { signal: controller.signal })).rejects.toThrow();
    await transport.close();
    expect(await server.blobService.has(B3Digest.of(bytes))).toBe(false);
  });

  test("is not needed: gzip and other protocols take Connect's way", async () => {
    const transport = createConnectGrpcTransport({
      baseUrl: server.url,
      sendCompression: (await import("@connectrpc/connect-node")).compressionGzip,
      compressMinBytes: 0,
    });
    const data = new Uint8Array(10_000);
    async function* source() {
      yield { data };
    }
    const { digest } = await createClient(BlobService, transport).put(source());
    expect(digest).toEqual(B3Digest.of(data).bytes);
  });
});

test("puts and reads that go on at once over one transport do not wait for each other", async () => {
  const transport = createGrpcTransport({ url: server.url });
  const blobs = new GrpcBlobService(transport);
  const all = Array.from({ length: 60 }, (_, index) => fixtures.pseudoRandomBytes(400_000, 9000 + index));
  await Promise.all(
    all.map(async (bytes) => {
      let length = 0;
      for await (const piece of (await blobs.read(await blobs.put([bytes]))) ?? []) length += piece.length;
      expect(length).toBe(bytes.length);
    }),
  );
  await transport.close();
});

test("a put of directories that is refused early ends, and its connection closes", async () => {
  const own = await runningServer({ maxMessageBytes: 4 << 20 });
  const transport = createGrpcTransport({ url: own.url });
  const directories = new GrpcDirectoryService(transport);
  const large = Array.from({ length: 30_000 }, (_, index) => `${index} ${"x".repeat(150)}`);
  const directory = fixtures.directoryOf(
    Object.fromEntries(large.map((name) => [name, fixtures.EMPTY_FILE])),
  );
  await expect(directories.put(directory)).rejects.toMatchObject({ code: "TOO_LARGE" });
  await transport.close();
  await own.close();
});

test("a server that closes lets calls under way end", async () => {
  const own = await runningServer();
  const transport = createGrpcTransport({ url: own.url });
  const blobs = createClient(BlobService, transport);
  const started = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  async function* source() {
    yield { data: Uint8Array.of(1) };
    started.resolve();
    await goOn.promise;
    yield { data: Uint8Array.of(2) };
  }
  const put = blobs.put(source());
  await started.promise;
  await (await fetch(`${own.url}/healthz`)).text();
  const closed = own.server.close(10_000);
  goOn.resolve();
  expect((await put).digest).toEqual(B3Digest.of(Uint8Array.of(1, 2)).bytes);
  await transport.close();
  expect(await closed).toBe(true);
  await expect(fetch(`${own.url}/healthz`)).rejects.toThrow();
});
