import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { readToml } from "../src/config/toml.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

/** A file of settings. */
async function fileOf(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), "tvix-store.toml");
  await writeFile(path, text);
  return path;
}

test("a text in TOML is settings with their places", () => {
  const text =
    'top = 1\n[daemon]\nmemory = 64\nlisten-address = ["a:1", "b:2"] # both\n  sync = false\n"odd.key".x = 1.5\n';
  expect(readToml(text)).toEqual({
    mistakes: [],
    settings: [
      { path: ["top"], value: 1, line: 1, column: 1 },
      { path: ["daemon", "memory"], value: 64, line: 3, column: 1 },
      { path: ["daemon", "listen-address"], value: ["a:1", "b:2"], line: 4, column: 1 },
      { path: ["daemon", "sync"], value: false, line: 5, column: 3 },
      { path: ["daemon", "odd.key", "x"], value: undefined, line: 6, column: 1 },
    ],
  });
  expect(readToml("[daemon\n").mistakes).toMatchObject([{ line: 2, column: 1 }]);
  expect(readToml("[daemon]\na = 1\na = 2\n").mistakes).toMatchObject([{ line: 3 }]);
});

const KEY = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

test("config check names each mistake with line and column", async () => {
  const path = await fileOf(
    [
      "[daemon]",
      'memory = "much"',
      "sync = 0",
      "narcompression = 1",
      'writes = "anybody"',
      'upstream = ["nix+http://user:s3cret@host"]',
      'tls-cert-file = "/nowhere/cert.pem"',
      'data = ["a", "b"]',
      "[client]",
      'service-addr = "http://x"',
      "[demon]",
      "memory = 1",
    ].join("\n"),
  );
  const { status, stderr } = await tvixStore("config", "check", path);
  expect(status).toBe(1);
  expect(stderr).not.toContain("s3cret");
  const lines = stderr.trimEnd().split("\n");
  expect(lines[0]?.replace("tvix-store: ", "")).toBe(
    `${path}:2:1: memory: expected a whole number from 16 to 1048576.`,
  );
  const places = [3, 4, 5, 6, 7, 8, 10, 12].map((line) => `${path}:${line}:1: `);
  expect(lines.slice(1).map((line) => line.slice(0, places[0]?.length).replace(/ .*/, " "))).toEqual(
    places.map((place) => place.slice(0, places[0]?.length).replace(/ .*/, " ")),
  );
  expect(stderr).toContain("sync: expected true or false");
  expect(stderr).toContain('there is no setting "narcompression" in [daemon]');
  expect(stderr).toContain("/nowhere/cert.pem");
  expect(stderr).toContain('"demon.memory" is in none of the tables');
  const good = await fileOf(
    `[daemon]
memory = 64
listen-address = "localhost:0"
data = "/srv/store"
upstream = ["grpc+https://team.example", "nix+https://cache.example?trusted-public-keys=${KEY}"]
[client]
max-message-bytes = 65536
`,
  );
  // What the short form stands for.
  const layers = (kind: string, more = "") => [
    `${kind}: cache "front" writes=near${more}`,
    '  near: level "root" path=/srv/store',
    '  far: grpc "upstream-1" url=grpc+https://team.example',
  ];
  expect(await tvixStore("config", "check", good)).toMatchObject({
    status: 0,
    stdout: [
      `${good}: no mistakes`,
      "",
      "The daemon's store:",
      ...layers("blob"),
      ...layers("directory"),
      ...layers("path-info", " missing_seconds=15"),
      "binary cache https://cache.example/",
      "",
    ].join("\n"),
  });
  expect(await tvixStore("--config", good, "config", "check")).toMatchObject({ status: 0 });
  expect(await tvixStore("config", "check")).toMatchObject({ status: 2 });
});

test("a command does not run by a file with mistakes", async () => {
  const path = await fileOf("[client]\nconnect-timeout = 0\n");
  const { status, stderr } = await tvixStore("--config", path, "path-info", "list");
  expect([status, stderr]).toEqual([2, expect.stringContaining(`${path}:2:1: connect-timeout: `)]);
  const missing = await tvixStore("path-info", "list", "--config", "/nowhere.toml");
  expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining("/nowhere.toml") });
});

test("flags go before the environment, and that before the file", async () => {
  const folder = await temporaryDirectory();
  const daemon = await startDaemon(join(folder, "data"));
  const address = `grpc+${daemon.url}`;
  const path = await fileOf(`[client]\nservice-addr = "${address}"\n[daemon]\ndata = "${folder}/other"\n`);
  expect((await tvixStore("path-info", "list", "--config", path)).status).toBe(0);
  const elsewhere = "grpc+http://127.0.0.1:1";
  const flag = await tvixStore("path-info", "list", "--config", path, "--service-addr", elsewhere);
  expect(flag).toMatchObject({ status: 1, stderr: expect.stringContaining("127.0.0.1:1") });
  process.env["TVIX_STORE_ADDR"] = elsewhere;
  process.env["TVIX_STORE_CONFIG"] = path;
  onTestFinished(() => {
    delete process.env["TVIX_STORE_ADDR"];
    delete process.env["TVIX_STORE_CONFIG"];
  });
  expect((await tvixStore("path-info", "list")).status).toBe(1);
  expect((await tvixStore("path-info", "list", "--service-addr", address)).status).toBe(0);
  // Lists of a flag are not added to those of the file.
  expect((await tvixStore("token", "list")).stderr).toContain(`there is no directory ${folder}/other`);
  expect((await tvixStore("token", "list", "--data", folder)).status).toBe(0);
});

test("a daemon takes up what has changed on SIGHUP, and says what it cannot", async () => {
  const folder = await temporaryDirectory();
  const path = await fileOf('[daemon]\nreads = "open"\nmemory = 64\n');
  const daemon = await startDaemon(join(folder, "data"), "--config", path);
  const narinfo = () => fetch(`${daemon.url}/${"0".repeat(32)}.narinfo`).then(({ status }) => status);
  expect(await narinfo()).toBe(404);
  await writeFile(path, '[daemon]\nreads = "token"\nmemory = 128\n');
  daemon.process.kill("SIGHUP");
  await expect.poll(narinfo).toBe(401);
  await expect.poll(daemon.log).toContain('"setting":"memory"');
  await writeFile(path, '[daemon]\nreads = "nobody"\n');
  daemon.process.kill("SIGHUP");
  await expect.poll(daemon.log).toContain("the changed settings are not taken up");
  expect(await narinfo()).toBe(401);
  await writeFile(path, "[daemon]\n");
  daemon.process.kill("SIGHUP");
  await expect.poll(narinfo).toBe(404);
});

test("the example of the documents has no mistakes", async () => {
  const text = await readFile(join(import.meta.dirname, "../../../docs/operating.md"), "utf8");
  const [, example = ""] = /```toml\n(\[daemon\][\s\S]*?)```/.exec(text) ?? [];
  expect(example).toContain("listen-address");
  expect(await tvixStore("config", "check", await fileOf(example))).toMatchObject({ status: 0 });
});
