import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { Agent, createServer, get as httpGet } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { collect } from "@tvix/byte-stream";
import { Directory, type Node, PathComponent } from "@tvix/castore";
import { GrpcDirectoryService } from "@tvix/castore/grpc";
import { createGrpcTransport } from "@tvix/castore/grpc-http2";
import { openStore } from "@tvix/castore/node";
import { type NarEntry, writeNar } from "@tvix/nar";
import type { NarBridgeOptions } from "@tvix/nar-bridge";
import { encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";
import { binaryCacheServicesOf, servicesOf, startServer } from "@tvix/server";
import type { PathInfo } from "@tvix/store";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { welcome } from "../src/cli/daemon-log.ts";
import { temporaryDirectory } from "./temporary.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";

/** A server with everything, over a store in a folder, and what it has logged. */
async function wholeServer(options: Partial<NarBridgeOptions> = {}) {
  const store = await openStore(await temporaryDirectory(), { sync: false });
  const services = servicesOf(store);
  const logged: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
  const server = await startServer({
    ...services,
    store: services,
    binaryCache: { ...binaryCacheServicesOf(store, services), ...options },
    address: { type: "tcp", host: "127.0.0.1", port: 0 },
    check: store.check,
    log,
  });
  onTestFinished(async () => {
    await server.close(0);
    await store.close();
  });
  const [address] = server.addresses;
  const port = address?.type === "tcp" ? address.port : 0;
  return { store, services, server, port, url: `http://127.0.0.1:${port}`, logged: () => logged.join("") };
}

/** A path over HTTP/2, as `curl --http2-prior-knowledge` asks for it. */
async function overHttp2(url: string, path: string): Promise<{ status: number; body: string }> {
  const session = connectHttp2(url);
  const stream = session.request({ ":path": path });
  const [headers] = await once(stream, "response");
  const body = await text(stream);
  session.close();
  return { status: headers[":status"], body };
}

/** Directories in directories, so many levels with the innermost one, which is empty. */
function nested(levels: number): readonly Directory[] {
  const directories = [Directory.of([])];
  while (directories.length < levels) {
    const child = directories.at(-1) as Directory;
    const node: Node = { type: "directory", digest: child.digest(), size: child.size() };
    directories.push(Directory.of([{ name: PathComponent.from("d"), node }]));
  }
  return directories;
}

async function nestedNar(levels: number): Promise<Uint8Array> {
  const entries: NarEntry[] = [
    ...Array.from(
      { length: levels },
      (_, index): NarEntry => ({
        type: "directory",
        name: new TextEncoder().encode(index === 0 ? "" : "d"),
      }),
    ),
    ...Array.from({ length: levels }, (): NarEntry => ({ type: "end" })),
  ];
  return await collect(writeNar(entries, { maxDepth: 1000 }), 1 << 20);
}

function sha256(bytes: Uint8Array): NixHash {
  return NixHash.from("sha256", new Uint8Array(createHash("sha256").update(bytes).digest()));
}

describe("a tree of 64 levels is taken at every door, and none of 65", () => {
  test("directories over gRPC and in the library", async () => {
    const { url, services } = await wholeServer();
    await using transport = createGrpcTransport({ url });
    for (const service of [services.directoryService, new GrpcDirectoryService(transport)]) {
      await service.putMany(nested(64));
      await expect(service.putMany(nested(65))).rejects.toMatchObject({
        code: "TOO_DEEP",
        message: expect.stringContaining("64 levels"),
      });
      expect(await services.directoryService.get((nested(65).at(-1) as Directory).digest())).toBeUndefined();
    }
  });

  test("a NAR over HTTP", async () => {
    const { url } = await wholeServer();
    for (const [levels, status] of [
      [64, 200],
      [65, 400],
      [1000, 400],
    ] as const) {
      const nar = await nestedNar(levels);
      const path = `${url}/nar/${encodeNixbase32(sha256(nar).digest)}.nar`;
      const response = await fetch(path, { method: "PUT", body: nar as BodyInit });
      expect([response.status, await response.text()]).toEqual([
        status,
        status === 200 ? "" : expect.stringContaining("64 levels"),
      ]);
    }
  });

  test("the command line: ingest, import and nar ingest, on a directory and through a daemon", async () => {
    const folder = await temporaryDirectory();
    const [fits, deep] = [join(folder, "fits"), join(folder, "deep")];
    await mkdir(join(fits, ...Array(63).fill("d")), { recursive: true });
    await mkdir(join(deep, ...Array(64).fill("d")), { recursive: true });
    await writeFile(join(folder, "deep.nar"), await nestedNar(65));
    const daemon = await startDaemon(join(folder, "data"));
    for (const options of [["--data", join(folder, "other")], daemon.options]) {
      expect((await tvixStore("castore", "ingest", fits, ...options)).status).toBe(0);
      for (const command of [
        ["castore", "ingest", deep],
        ["import", deep],
        ["nar", "ingest", join(folder, "deep.nar")],
      ]) {
        const refused = await tvixStore(...command, ...options);
        expect([refused.status, refused.stdout, refused.stderr]).toEqual([
          1,
          "",
          expect.stringContaining("64 levels"),
        ]);
      }
    }
  });

  test("what an older version has stored that is deeper is 404 for Nix, and so is a name that no listing has", async () => {
    const { url, store, services } = await wholeServer();
    const odd = Directory.of([
      {
        name: PathComponent.from(Uint8Array.of(0xff)),
        node: { type: "directory", digest: Directory.of([]).digest(), size: 0n },
      },
    ]);
    const levels = nested(66);
    for (const directory of [...levels, odd]) {
      const key = Buffer.concat([Buffer.from("d1"), directory.digest().bytes]);
      await store.database.write([{ type: "put", key, value: directory.encode() }]);
    }
    const put = async (name: string, root: Directory, narSize: number) => {
      const info: PathInfo = {
        storePath: StorePath.from(root.digest().bytes.slice(0, 20), name),
        node: { type: "directory", digest: root.digest(), size: root.size() },
        references: [],
        narSize,
        narHash: NixHash.from("sha256", root.digest().bytes),
        signatures: [],
        deriver: undefined,
        contentAddress: undefined,
      };
      await services.pathInfoService.put(info);
      return info.storePath.digestText();
    };
    const deep = await put("deep", levels.at(-1) as Directory, 1000);
    const unlistable = await put("odd", odd, 304);
    for (const path of [`${deep}.narinfo`, `${deep}.ls`, `${unlistable}.ls`]) {
      expect((await fetch(`${url}/${path}`)).status, path).toBe(404);
      expect((await overHttp2(url, `/${path}`)).status, path).toBe(404);
    }
  });
});

describe("what there is no answer for", () => {
  const LINE = /^[^\n]+\n$/;

  test.each([
    ["GET", "/no/such/route"],
    ["DELETE", "/nix-cache-info"],
    ["PUT", "/no/such/route"],
    ["GET", "/%zz"],
    ["GET", "/nar/%00"],
    ["POST", "/nar/x"],
  ])("%s %s: one line of text that nobody keeps", async (method, path) => {
    const { url, logged } = await wholeServer();
    const response = await fetch(`${url}${path}`, { method, body: method === "GET" ? null : "x" });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toMatch(LINE);
    expect(logged()).toBe("");
  });

  test.each([
    ["FOO /nix-cache-info HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["nothing of the kind\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    [
      "PUT /log/x HTTP/1.1\r\nHost: x\r\nExpect: bogus\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
      417,
    ],
  ])("%j is %i, in one line of text", async (request, status) => {
    const { port } = await wholeServer();
    const socket = connect(port, "127.0.0.1");
    socket.write(request);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/content-type: text\/plain/i);
    expect(answer).toMatch(/cache-control: no-store/i);
    expect(answer).not.toContain("{");
  });

  test("nor is there without a binary cache", async () => {
    const store = await openStore(await temporaryDirectory(), { sync: false });
    const server = await startServer({
      ...servicesOf(store),
      address: { type: "tcp", host: "127.0.0.1", port: 0 },
    });
    onTestFinished(async () => {
      await server.close(0);
      await store.close();
    });
    const [address] = server.addresses;
    const response = await fetch(`http://127.0.0.1:${address?.type === "tcp" ? address.port : 0}/x`);
    expect([response.status, await response.text()]).toEqual([404, expect.stringMatching(LINE)]);
  });

  test.each(["garbage", "/", "text/html, x/y", "a/b; c"])(
    "an upload of content type %j is taken: nobody needs the type",
    async (type) => {
      const { port, url, logged } = await wholeServer();
      const path = `/log/${"0".repeat(32)}-x.drv`;
      const socket = connect(port, "127.0.0.1");
      socket.write(
        `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`,
      );
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
      expect(await (await fetch(url + path)).text()).toBe("x");
      expect(logged()).toBe("");
    },
  );
});

test("doubled slashes mean one", async () => {
  const { url } = await wholeServer();
  for (const path of ["//nix-cache-info", "///nix-cache-info"]) {
    const socket = await fetch(`${url}${path}`);
    expect(await socket.text()).toContain("StoreDir: /nix/store");
    expect((await overHttp2(url, path)).body).toContain("StoreDir: /nix/store");
  }
  const missing = await fetch(`${url}//${"0".repeat(32)}.narinfo`);
  expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining("narinfo")]);
  const side = `log//${"0".repeat(32)}-x.drv`;
  expect((await fetch(`${url}//${side}`, { method: "PUT", body: "x" })).status).toBe(200);
  expect(await (await fetch(`${url}/${side.replace("//", "/")}`)).text()).toBe("x");
});

test("a failure in the log says which call, of what, and from where", async () => {
  const { url, store, services, logged } = await wholeServer();
  const directory = nested(2).at(-1) as Directory;
  const digest = await services.directoryService.putMany(nested(2));
  const key = Buffer.concat([Buffer.from("d1"), digest.bytes]);
  await store.database.write([{ type: "put", key, value: Uint8Array.of(1) }]);
  await using transport = createGrpcTransport({ url });
  await expect(new GrpcDirectoryService(transport).get(digest)).rejects.toThrow();
  expect(logged()).toContain("/tvix.castore.v1.DirectoryService/Get");
  expect(logged()).toContain("127.0.0.1");
  expect(logged()).toContain(directory.digest().toString());
  const before = logged().length;
  await fetch(`${url}/nar/tvix-castore/EiQKIg?narsize=1`);
  await fetch(
    `${url}/nar/tvix-castore/${Buffer.concat([Buffer.from("0a241220", "hex"), digest.bytes, Buffer.from("1802", "hex")]).toString("base64url")}?narsize=1`,
  );
  expect(logged().slice(before)).toContain("GET /nar/tvix-castore/");
});

describe("the end of a server", () => {
  test("a kept-alive connection gets its answer, and no other request", async () => {
    const { url, server } = await wholeServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async () => {
      const [response] = await once(httpGet(`${url}/nix-cache-info`, { agent }), "response");
      await text(response);
      return response.headers.connection;
    };
    expect(await ask()).toBe("keep-alive");
    const closed = server.close(60_000);
    // The connection rests, and so ends now: nobody waits for the time limit.
    expect(await closed).toBe(true);
    await expect(ask()).rejects.toThrow();
  });

  test("a request under way when it begins ends its connection", async () => {
    const { port, server, services } = await wholeServer();
    let answer = () => {};
    const get = services.pathInfoService.get.bind(services.pathInfoService);
    services.pathInfoService.get = async (...args) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return await get(...args);
    };
    const socket = connect(port, "127.0.0.1");
    socket.write(`GET /${"0".repeat(32)}.narinfo HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => answer.toString()).not.toBe("() => {}");
    const closed = server.close(60_000);
    answer();
    expect(await text(socket)).toMatch(/^HTTP\/1.1 404 /);
    expect(await closed).toBe(true);
  });
});

describe("signals of a daemon", () => {
  test.each([
    ["SIGTERM", "SIGINT"],
    ["SIGINT", "SIGTERM"],
    ["SIGTERM", "SIGTERM"],
  ] as const)("after %s, %s ends it at once", async (first, second) => {
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"), "--shutdown-timeout", "600");
    const { hostname, port } = new URL(daemon.url);
    const holding = connect(Number(port), hostname);
    holding.on("error", () => {});
    holding.write(`PUT /log/${"0".repeat(32)}-x.drv HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx`);
    await once(holding, "connect");
    await expect.poll(async () => (await fetch(`${daemon.url}/healthz`)).status).toBe(200);
    daemon.process.kill(first);
    await expect.poll(() => daemon.log()).toContain("finishing");
    expect(await endDaemon(daemon, second)).toBe(second);
  });
});

test("a place where no data directory can be made is an error at once", async () => {
  const { status, stderr } = await tvixStore(
    "daemon",
    "--data",
    "/proc/tvix",
    "--listen-address",
    "127.0.0.1:0",
  );
  expect([status, stderr]).toEqual([1, expect.stringContaining("/proc/tvix cannot be opened")]);
});

test.each([
  ["castore", "ls", "af".repeat(32)],
  ["castore", "cat", "af".repeat(32)],
  ["castore", "restore", "af".repeat(32), "/tmp/never"],
  ["nar", "dump", "af".repeat(32)],
  ["nar", "ls", "af".repeat(32)],
  ["path-info", "list"],
  ["path-info", `${"0".repeat(32)}-x`],
])("%s %s makes no store where there is none", async (...command) => {
  const mistyped = join(await temporaryDirectory(), "mistyped");
  const { status, stderr } = await tvixStore(...command, "--data", mistyped);
  expect([status, stderr]).toEqual([1, `tvix-store: there is no store in ${mistyped}\n`]);
});

test("an option that is no list cannot be given twice; lists can", async () => {
  for (const args of [
    ["daemon", "--data", "/tmp/a", "--data", "/tmp/b"],
    ["daemon", "--shutdown-timeout", "1", "--shutdown-timeout", "2"],
    ["castore", "ls", "af".repeat(32), "--data", "a", "--data", "b"],
  ]) {
    const { status, stderr } = await tvixStore(...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining("given more than once")]);
  }
  const folder = await temporaryDirectory();
  const files = ["one", "two"].map((name) => join(folder, name));
  for (const file of files) await tvixStore("keys", "generate", `${file.split("/").at(-1)}-1`, file);
  const keys = files.flatMap((file) => ["--signing-key-file", file]);
  const daemon = await startDaemon(join(folder, "data"), "--listen-address", join(folder, "socket"), ...keys);
  await writeFile(join(folder, "file"), "contents");
  const socket = `grpc+unix://${join(folder, "socket")}`;
  const addresses = ["blob", "directory", "path-info"].flatMap((kind) => [`--${kind}-service-addr`, socket]);
  expect((await tvixStore("import", join(folder, "file"), ...addresses)).status).toBe(0);
  const [line] = (await tvixStore("path-info", "list", "--json", ...daemon.options)).stdout.split("\n");
  const { signatures } = JSON.parse(line as string) as { signatures: string[] };
  expect(signatures.map((signature) => signature.split(":")[0])).toEqual(["one-1", "two-1"]);
});

test("what is wrong with the address of an upstream is said without its password", async () => {
  for (const wrong of [
    "nix+http://user:s3cret@host",
    "nix+ftp://user:s3cret@host",
    "nix+http://user:s3cret@host?x=y",
  ]) {
    const { status, stderr } = await tvixStore("daemon", "--upstream", wrong);
    expect([status, stderr]).toEqual([2, expect.stringContaining("upstream")]);
    expect(stderr).not.toContain("s3cret");
  }
});

test("a person who starts it on a terminal is told where, and what to try", () => {
  const told = welcome(["127.0.0.1:8000", "[::1]:8000"], "/data");
  expect(told).toContain("serves on http://127.0.0.1:8000");
  expect(told).toContain("Its data is in /data.");
  expect(told).toContain("nix copy --to http://127.0.0.1:8000");
  expect(welcome(["/run/socket"], "/data")).not.toContain("http");
});

test("on a terminal no JSON is shown", async ({ skip }) => {
  const data = join(await temporaryDirectory(), "data");
  const bin = join(import.meta.dirname, "../bin/tvix-store.js");
  const command = `timeout -s INT 3 '${process.execPath}' '${bin}' daemon --data '${data}' --listen-address 127.0.0.1:0`;
  let shown: string;
  try {
    shown = execFileSync("script", ["-qec", command, "/dev/null"], {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") skip("there is no script(1)");
    shown = String((error as { stdout?: unknown }).stdout);
  }
  expect(shown).toContain(`Its data is in ${data}.`);
  expect(shown).toContain("stopped");
  expect(shown).not.toContain('{"level"');
});

test("a path that is no socket is not removed to listen there", async () => {
  const folder = await temporaryDirectory();
  const precious = join(folder, "precious");
  await writeFile(precious, "precious");
  const { status, stderr } = await tvixStore(
    "daemon",
    "--data",
    join(folder, "d"),
    "--listen-address",
    precious,
  );
  expect([status, stderr]).toEqual([1, expect.stringContaining(`cannot listen on ${precious}`)]);
});

describe("a client that meets something else", () => {
  test("says what it met, and where", async () => {
    const plain = createServer((_, response) => response.end("hello"));
    plain.listen(0, "127.0.0.1");
    await once(plain, "listening");
    onTestFinished(() => void plain.close());
    const { port } = plain.address() as AddressInfo;
    const address = `grpc+http://127.0.0.1:${port}`;
    const options = ["blob", "directory", "path-info"].flatMap((kind) => [`--${kind}-service-addr`, address]);
    const { status, stderr } = await tvixStore("castore", "cat", "af".repeat(32), ...options);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`http://127.0.0.1:${port} does not speak HTTP/2 in clear text`),
    ]);
  });
});

test("a damaged upload, of whatever compression, does not keep a daemon from ending", async () => {
  const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
  const contents = randomBytes(3_000_000);
  const name = new Uint8Array(0);
  const entries: NarEntry[] = [{ type: "file", name, executable: false, size: contents.length, contents }];
  const nar = await collect(writeNar(entries), 4 << 20);
  for (const [suffix, tool] of [
    [".lzma", ["xz", "--format=lzma", "-c"]],
    [".xz", ["xz", "-c"]],
    [".bz2", ["bzip2", "-c"]],
    [".zst", ["zstd", "-c"]],
    [".gz", ["gzip", "-c"]],
  ] as const) {
    const file = execFileSync(tool[0], tool.slice(1), { input: nar, maxBuffer: 1 << 30 });
    file.fill(0xa5, 1_000_000, 1_000_040);
    const url = `${daemon.url}/nar/${encodeNixbase32(sha256(file).digest)}.nar${suffix}`;
    expect((await fetch(url, { method: "PUT", body: file })).status).toBe(400);
  }
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
});

test("the names of snix only: the command line finds out, or is told", async () => {
  const { createServer: createHttp2Server } = await import("node:http2");
  const { connectNodeAdapter } = await import("@connectrpc/connect-node");
  const { Code, ConnectError } = await import("@connectrpc/connect");
  const snix = await import("@tvix/protocol/snix/castore");
  const { blobService } = await wholeServer().then(({ services }) => services);
  const server = createHttp2Server(
    connectNodeAdapter({
      routes: (router) => {
        router.service(snix.BlobService, {
          async stat({ digest }) {
            const { B3Digest } = await import("@tvix/castore");
            const chunks = await blobService.chunks(B3Digest.from(digest));
            return {
              chunks: (chunks ?? []).map((chunk) => ({
                digest: chunk.digest.bytes,
                size: BigInt(chunk.size),
              })),
            };
          },
          async put(pieces) {
            async function* data() {
              for await (const { data: piece } of pieces) yield piece;
            }
            return { digest: (await blobService.put(data())).bytes };
          },
        });
        router.service(snix.DirectoryService, {
          // biome-ignore lint/correctness/useYield: it has no directory
          async *get() {
            throw new ConnectError("no such directory", Code.NotFound);
          },
        });
      },
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = `grpc+http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = ["blob", "directory", "path-info"].flatMap((kind) => [`--${kind}-service-addr`, address]);
  const file = join(await temporaryDirectory(), "file");
  await writeFile(file, "contents");
  expect((await tvixStore("castore", "ingest", file, ...options)).status).toBe(0);
  expect((await tvixStore("castore", "ingest", file, ...options, "--namespace", "snix")).status).toBe(0);
  const refused = await tvixStore("castore", "ingest", file, ...options, "--namespace", "tvix");
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringMatching(/unimplemented|404/i)]);
});
