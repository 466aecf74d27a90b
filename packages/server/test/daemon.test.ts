import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { type NarEntry, writeNar } from "@tvix/nar";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { welcome } from "../src/cli/daemon-log.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";

import { sha256, wholeServer } from "./whole-server.ts";

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

test("tokens are looked for and revoked nowhere but where they are", async () => {
  const mistyped = join(await temporaryDirectory(), "mistyped");
  const list = await tvixStore("token", "list", "--data", mistyped);
  expect([list.status, list.stderr]).toEqual([1, `tvix-store: there is no directory ${mistyped}\n`]);
  expect((await tvixStore("token", "revoke", "0123456789ab", "--data", mistyped)).status).toBe(1);
  expect(existsSync(mistyped)).toBe(false);
  // Where no directory can be made nothing spins.
  const nowhere = await tvixStore("token", "create", "--scope", "read", "--data", "/proc/x/y");
  expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringContaining("/proc/x")]);
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
    "nix+http://user:s3cret/more@host?trusted-public-keys=k:x",
    "nix+http://user:12/s3cret@host?trusted-public-keys=k:x",
    "nix+http://user:s3cret?more@host",
    "nix+http://user:12#s3cret@host",
  ]) {
    const { status, stderr } = await tvixStore("daemon", "--upstream", wrong);
    expect([status, stderr]).toEqual([2, expect.stringContaining("upstream")]);
    expect(stderr).not.toContain("s3cret");
  }
});

test("a person who starts it on a terminal is told where, and what to try", () => {
  const tcp = (host: string) => ({ type: "tcp", host, port: 8000 }) as const;
  const told = welcome([tcp("127.0.0.1"), tcp("::1")], "/data", false);
  expect(told).toContain("serves on http://127.0.0.1:8000");
  expect(told).toContain("Its data is in /data.");
  expect(told).toContain("nix copy --to http://127.0.0.1:8000");
  expect(welcome([{ type: "unix", path: "/run/socket" }], "/data", false)).not.toContain("http");
  expect(welcome([tcp("0.0.0.0")], "/data", true)).toContain("nix copy --to https://localhost:8000");
});

/** Starts a daemon on a terminal of its own, presses Ctrl-C when something is shown, and returns all that is. */
async function onTerminal(data: string, until: string): Promise<string | undefined> {
  const bin = join(import.meta.dirname, "../bin/tvix-store.js");
  const command = `'${process.execPath}' '${bin}' daemon --data '${data}' --listen-address 127.0.0.1:0`;
  const terminal = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let shown = "";
  const closed = new Promise<string | undefined>((resolve, reject) => {
    terminal.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? resolve(undefined) : reject(error),
    );
    terminal.once("close", () => resolve(shown));
  });
  terminal.stdout.on("data", (piece) => {
    if (!shown.includes(until) && `${shown}${piece}`.includes(until)) terminal.stdin.write("\x03");
    shown += piece;
  });
  return await closed;
}

test("on a terminal no JSON is shown", async ({ skip }) => {
  const data = join(await temporaryDirectory(), "data");
  const shown = await onTerminal(data, "Its data is in");
  if (shown === undefined) return skip("there is no script(1)");
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
  const tools = [
    [".lzma", ["xz", "--format=lzma", "-c"]],
    [".xz", ["xz", "-c"]],
    [".bz2", ["bzip2", "-c"]],
    [".zst", ["zstd", "-c"]],
    [".gz", ["gzip", "-c"]],
  ] as const;
  const files = tools.map(([suffix, [tool, ...args]]) => {
    const file = execFileSync(tool, args, { input: nar, maxBuffer: 1 << 30 });
    return { suffix, file: file.fill(0xa5, 1_000_000, 1_000_040) };
  });
  for (const { suffix, file } of files) {
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
