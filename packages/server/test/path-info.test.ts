import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { B3Digest, SymlinkTarget } from "@tvix/castore";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { PublicKey, SecretKey } from "@tvix/narinfo";
import { StorePath } from "@tvix/nix-compat";
import * as snix from "@tvix/protocol/snix/store";
import { NodeSchema } from "@tvix/protocol/tvix/castore";
import { PathInfoService } from "@tvix/protocol/tvix/store";
import { formatPathInfo, type PathInfo } from "@tvix/store";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { fixtures } from "@tvix/store/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { INVALID } from "../../store/test/invalid-path-infos.ts";
import { type Connect, serverOverStore, TRANSPORTS, testOverSockets } from "./path-info-servers.ts";
import { runningServer } from "./running-server.ts";

// The other clients: path-info.long.test.ts.
testOverSockets("our gRPC", "tvix");
testOverSockets("Connect over HTTP/1.1, in JSON", "snix");

describe.each(Object.entries(TRANSPORTS))("PathInfoService answers over %s", (_, connect) => {
  let server: Awaited<ReturnType<typeof serverOverStore>>;
  let transport: ReturnType<Connect>;

  beforeEach(async () => {
    server = await serverOverStore();
    transport = connect(server.url);
  });
  afterEach(async () => {
    await transport.close?.();
    await server.close();
  });
  const client = () => createClient(PathInfoService, transport);

  const statusOf = async (call: Promise<unknown>) => {
    const error = ConnectError.from(
      await call.then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    );
    return [error.code, error.rawMessage];
  };

  test("a Get with what it lacks", async () => {
    expect(await statusOf(client().get({}))).toEqual([Code.InvalidArgument, "by_what needs to be specified"]);
    const get = (length: number) =>
      client().get({ byWhat: { case: "byOutputHash", value: new Uint8Array(length) } });
    expect(await statusOf(get(19))).toEqual([
      Code.InvalidArgument,
      "invalid output digest length: 19, expected 20 bytes",
    ]);
    expect(await statusOf(get(20))).toEqual([Code.NotFound, "PathInfo not found"]);
  });

  test("a Put with what is wrong, and stores nothing", async () => {
    for (const [, message, text] of INVALID) {
      const [code, found] = await statusOf(client().put(message));
      expect(code).toBe(Code.InvalidArgument);
      expect(found).toContain(`Invalid path info: ${text}`);
    }
    expect(await Array.fromAsync(client().list({}))).toEqual([]);
  });

  test("a CalculateNAR with length and hash, or what is wrong", async () => {
    const digest = await server.blobService.put(new TextEncoder().encode("Hello World!"));
    const file = (value: { name?: string; digest?: Uint8Array; size?: bigint }) =>
      client().calculateNAR({
        node: {
          case: "file",
          value: {
            name: new TextEncoder().encode(value.name ?? ""),
            digest: value.digest ?? digest.bytes,
            size: value.size ?? 12n,
            executable: false,
          },
        },
      });
    for (let again = 0; again < 2; again++) {
      const { narSize, narSha256 } = await file({});
      expect([narSize, Buffer.from(narSha256).toString("hex")]).toEqual([
        128n,
        "03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
      ]);
    }
    expect(await statusOf(client().calculateNAR({}))).toEqual([
      Code.InvalidArgument,
      "invalid root node: No node set",
    ]);
    expect(await statusOf(file({ name: "x" }))).toEqual([
      Code.InvalidArgument,
      "invalid root node: its name is not empty",
    ]);
    expect((await statusOf(file({ digest: new Uint8Array(31) })))[0]).toBe(Code.InvalidArgument);
    const missing = B3Digest.of(new TextEncoder().encode("never put"));
    expect(await statusOf(file({ digest: missing.bytes }))).toEqual([
      Code.DataLoss,
      `blob ${missing} is not in the store`,
    ]);
    for (const size of [2n, 42n]) expect((await statusOf(file({ size })))[0]).toBe(Code.DataLoss);
  });
});

test("a message of snix in JSON has the names of snix", async () => {
  const server = await serverOverStore();
  const baseUrl = server.url;
  const info = formatPathInfo(fixtures.PATH_INFO_SYMLINK);
  await createClient(PathInfoService, createGrpcTransport({ url: baseUrl })).put(info);
  const get = async (service: string) => {
    const response = await fetch(`${baseUrl}/${service}/Get`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ byOutputHash: Buffer.alloc(20).toString("base64") }),
    });
    return Object.keys((await response.json()) as object);
  };
  expect(await get(snix.PathInfoService.typeName)).toEqual(["entry", "narinfo"]);
  expect(await get(PathInfoService.typeName)).toEqual(["node", "narinfo"]);
  await server.close();
});

test("a server with a key signs what is put, once", async () => {
  const key = SecretKey.generate("signing-1");
  const server = await serverOverStore(key);
  await using transport = createGrpcTransport({ url: server.url });
  const service = new GrpcPathInfoService(transport);
  const stored = await service.put(fixtures.PATH_INFO_SYMLINK);
  const [signature] = stored.signatures;
  const text = `1;${stored.storePath.toAbsolute()};${stored.narHash};136;`;
  expect(signature && PublicKey.parse(String(key.publicKey)).verify(text, signature)).toBe(true);
  expect((await service.put(stored)).signatures).toHaveLength(1);
  await server.close();
});

test("a peer that answers with another path is not believed", async () => {
  const other: PathInfo = {
    ...fixtures.PATH_INFO_SYMLINK,
    storePath: StorePath.from(new Uint8Array(20).fill(1), "other"),
  };
  const services = {
    pathInfoService: { get: async () => other, put: async () => other, list: () => [] as never },
    narCalculationService: { calculateNar: () => Promise.reject(new Error("not asked")) },
  };
  const server = await runningServer({ store: services });
  await using transport = createGrpcTransport({ url: server.url });
  const service = new GrpcPathInfoService(transport);
  await expect(service.get(new Uint8Array(20))).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
  await expect(service.put(fixtures.PATH_INFO_SYMLINK)).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
  await server.close();
});

test("our failures reach no client", async () => {
  const failing = () => Promise.reject(new Error("/secret/path failed"));
  const services = {
    pathInfoService: { get: failing, put: failing, list: () => failingList() },
    narCalculationService: { calculateNar: failing },
  };
  async function* failingList(): AsyncGenerator<PathInfo, void, undefined> {
    yield fixtures.PATH_INFO_SYMLINK;
    await failing();
  }
  const server = await runningServer({ store: services });
  const client = createClient(
    PathInfoService,
    createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }),
  );
  const symlink = create(NodeSchema, {
    node: { case: "symlink", value: { target: SymlinkTarget.from("x").bytes } },
  });
  for (const call of [
    client.get({ byWhat: { case: "byOutputHash", value: new Uint8Array(20) } }),
    client.put(formatPathInfo(fixtures.PATH_INFO_SYMLINK)),
    client.calculateNAR(symlink),
    Array.fromAsync(client.list({})),
  ]) {
    const error = ConnectError.from(
      await call.then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    );
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "internal error"]);
  }
  await server.close();
});

test("a list waits for a client that does not read on", async () => {
  let produced = 0;
  async function* endless(): AsyncGenerator<PathInfo, void, undefined> {
    try {
      for (;;) {
        produced++;
        yield fixtures.fullPathInfo(produced);
      }
    } finally {
      ended.resolve();
    }
  }
  const ended = Promise.withResolvers<void>();
  const unused = () => Promise.reject(new Error("not asked"));
  const services = {
    pathInfoService: { get: unused, put: unused, list: endless },
    narCalculationService: { calculateNar: unused },
  };
  const server = await runningServer({ store: services });
  await using transport = createGrpcTransport({ url: server.url });
  let read = 0;
  for await (const _ of new GrpcPathInfoService(transport).list()) {
    if (++read < 10) continue;
    // The server goes on until windows and buffers are full, and no further.
    for (let before = -1; before !== produced; ) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    break;
  }
  expect(produced).toBeLessThan(50_000);
  // Leaving the loop ends the list on the server.
  await ended.promise;
  await server.close();
});
