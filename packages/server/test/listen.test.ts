import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { formatListenAddress, parseListenAddress } from "@tvix/server";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { isLocalAddress } from "../src/listen/listen-address.ts";
import { newAuthority } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { startDaemon } from "./tvix-store.ts";

const BIN = join(import.meta.dirname, "../bin/tvix-store.js");

function isMissing(tool: string): boolean {
  try {
    execFileSync("which", [tool]);
    return false;
  } catch {
    console.warn(`skipped: there is no ${tool} on the PATH (Debian's packages systemd and socat)`);
    return true;
  }
}

/** What a daemon that was started in some way has logged, with its end. */
function watch(child: ChildProcess): { log: () => string; started: Promise<void> } {
  onTestFinished(() => void child.kill("SIGKILL"));
  let log = "";
  const started = new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (piece) => {
      log += piece;
      if (log.includes('"serving"')) resolve();
    });
    child.once("exit", () => reject(new Error(`the daemon has ended: ${log}`)));
  });
  started.catch(() => {});
  return { log: () => log, started };
}

/** What a server on a Unix socket answers. */
async function askSocket(socketPath: string, path = "/healthz"): Promise<string> {
  const [response] = await once(get({ socketPath, path }), "response");
  return await text(response);
}

test.each([
  ["localhost:8000", { type: "tcp", host: "localhost", port: 8000 }],
  ["[::]:0", { type: "tcp", host: "::", port: 0 }],
  ["./socket", { type: "unix", path: "./socket" }],
  ["@name", { type: "abstract", name: "name" }],
  ["sd-listen", { type: "activated", name: undefined }],
  ["SD_LISTEN", { type: "activated", name: undefined }],
  ["sd-listen-unix", { type: "activated", name: undefined }],
  ["sd-listen:web", { type: "activated", name: "web" }],
  ["-", { type: "stdio" }],
  ["inetd", { type: "stdio" }],
])("%s is an address", (given, address) => {
  expect(parseListenAddress(given)).toEqual(address);
  expect(parseListenAddress(formatListenAddress(parseListenAddress(given)))).toEqual(address);
});

test("whoever is at the other end of what somebody else has opened may be anybody", () => {
  const isLocal = (text: string) => isLocalAddress(parseListenAddress(text));
  expect(["stdio", "inetd", "sd-listen", "[::]:1"].filter(isLocal)).toEqual([]);
  expect(["localhost:1", "127.0.0.1:1", "[::1]:1", "/socket", "@name"].every(isLocal)).toBe(true);
});

test.each(["", "@", "8000", "localhost", "host:99999", "http://x:1", "sd-listen:"])("%j is none", (given) => {
  expect(() => parseListenAddress(given)).toThrow(RangeError);
});

test.each([
  ["owner", 0o600],
  ["group", 0o660],
  ["everybody", 0o666],
  ["640", 0o640],
])("a Unix socket that %s may use", async (who, mode) => {
  const folder = await temporaryDirectory();
  const socket = join(folder, "socket");
  const permissions = ["--unix-listen-chmod", who, "--unix-listen-gid", `${process.getgid?.()}`];
  await startDaemon(join(folder, "data"), "--listen-address", socket, ...permissions);
  expect((await stat(socket)).mode & 0o777).toBe(mode);
  expect(await askSocket(socket)).toBe("ok\n");
});

test("a Unix socket of another owner", async ({ skip }) => {
  if (process.getuid?.() !== 0) skip("only root can give files away");
  const folder = await temporaryDirectory();
  const socket = join(folder, "socket");
  await startDaemon(
    join(folder, "data"),
    "--listen-address",
    socket,
    "--unix-listen-uid",
    "12",
    "--unix-listen-gid",
    "34",
  );
  const { uid, gid } = await stat(socket);
  expect([uid, gid]).toEqual([12, 34]);
});

test("a socket with a name and no file", async () => {
  const name = `tvix-store-test-${process.pid}`;
  await startDaemon(join(await temporaryDirectory(), "data"), "--listen-address", `@${name}`);
  expect(await askSocket(`\0${name}`)).toBe("ok\n");
});

test("standard input and output as the only connection: HTTP/1.1, and its end is the end", async () => {
  const data = join(await temporaryDirectory(), "data");
  const child = spawn(process.execPath, [BIN, "daemon", "--data", data, "-l", "stdio"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  watch(child);
  const exited = once(child, "exit");
  child.stdin?.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  expect(await text(child.stdout as NonNullable<typeof child.stdout>)).toMatch(
    /^HTTP\/1\.1 200 OK[\s\S]*ok\n$/,
  );
  expect((await exited)[0]).toBe(0);
});

test.skipIf(isMissing("systemd-socket-activate"))("sockets of systemd: by TCP, by name, by TLS", async () => {
  const folder = await temporaryDirectory();
  const authority = await newAuthority();
  const { certFile, keyFile } = await authority.issue("server");
  const socket = join(folder, "activated");
  const port = await freePort();
  const child = spawn(
    "systemd-socket-activate",
    ["-l", `127.0.0.1:${port}`, "-l", socket, "--fdname=web:local", process.execPath, BIN, "daemon"].concat([
      "--data",
      join(folder, "data"),
      "--listen-address",
      "sd-listen:web",
      "--listen-address",
      "sd-listen:local",
      "--tls-cert-file",
      certFile,
      "--tls-key-file",
      keyFile,
    ]),
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const { log } = watch(child);
  await expect.poll(log).toContain("Listening on");
  // The first connection is what starts it.
  expect(await askSocket(socket)).toBe("ok\n");
  const ca = await readFile(authority.certFile);
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca });
  const stream = session.request({ ":path": "/healthz" });
  expect(await text(stream)).toBe("ok\n");
  session.close();
  expect(log()).toContain(`"127.0.0.1:${port}"`);
});

test("without a socket of systemd it says so", async () => {
  const data = join(await temporaryDirectory(), "data");
  const failed = (environment: NodeJS.ProcessEnv, address: string) =>
    new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [BIN, "daemon", "--data", data, "-l", address],
        { env: { ...process.env, ...environment } },
        (_, __, stderr) => resolve(stderr),
      );
    });
  expect(await failed({}, "sd-listen")).toContain("LISTEN_PID is not set");
  expect(await failed({ LISTEN_PID: "1", LISTEN_FDS: "1" }, "sd-listen")).toContain("to another process");
});

test.skipIf(isMissing("systemd-notify") || isMissing("socat"))(
  "systemd is told when it is ready, and when it ends",
  async () => {
    const folder = await temporaryDirectory();
    const notified = join(folder, "notified");
    const socket = join(folder, "notify");
    const listener = spawn("socat", ["-u", `UNIX-RECV:${socket}`, `CREATE:${notified}`]);
    onTestFinished(() => void listener.kill("SIGKILL"));
    await expect
      .poll(() =>
        stat(socket).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    process.env["NOTIFY_SOCKET"] = socket;
    onTestFinished(() => {
      delete process.env["NOTIFY_SOCKET"];
    });
    const daemon = await startDaemon(join(folder, "data"));
    const told = () => readFile(notified, "utf8").catch(() => "");
    await expect.poll(told).toContain("READY=1");
    daemon.process.kill("SIGTERM");
    await expect.poll(told, { timeout: 10_000 }).toContain("STOPPING=1");
    expect(await told()).toContain(`MAINPID=${daemon.process.pid}`);
  },
);
