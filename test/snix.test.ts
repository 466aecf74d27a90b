import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";

import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../packages/server/test/free-port.ts";
import { startDaemon, tvixStore } from "../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "./temporary.ts";

const execute = promisify(execFile);

function find(program: string): string | undefined {
  try {
    return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

const snixStore = find("snix-store");
if (snixStore === undefined) console.warn("skipped: there is no snix-store on the PATH");

/** A tree that has directories in directories: their sizes are what peers have refused. */
async function sampleTree(): Promise<string> {
  const root = join(await temporaryDirectory(), "tree");
  await mkdir(join(root, "a", "b", "c"), { recursive: true });
  await writeFile(join(root, "a", "b", "c", "deep"), "deep");
  await writeFile(join(root, "a", "large"), Buffer.alloc(5_000_000, "large"));
  await writeFile(join(root, "run"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("a/large", join(root, "link"));
  return root;
}

const ADDRESS_VARIABLES = ["BLOB_SERVICE_ADDR", "DIRECTORY_SERVICE_ADDR", "PATH_INFO_SERVICE_ADDR"];

function addressesOf(url: string) {
  return Object.fromEntries(ADDRESS_VARIABLES.map((name) => [name, `grpc+${url}`]));
}

/** Runs a program of snix with its services at an address. */
async function snix(program: string, url: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, ...addressesOf(url), RUST_LOG: "error" };
  return (await execute(program, args, { env })).stdout;
}

/** Starts a program of snix that listens, its services in memory or at an address. */
async function serve(program: string, args: readonly string[], url?: string): Promise<string> {
  const port = await freePort();
  const memory = Object.fromEntries(ADDRESS_VARIABLES.map((name) => [name, "memory://"]));
  const env = { ...process.env, ...(url === undefined ? memory : addressesOf(url)), RUST_LOG: "error" };
  const child = spawn(program, [...args, "--listen-address", `127.0.0.1:${port}`], { env, stdio: "inherit" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await expect
    .poll(
      async () =>
        await execute("sh", ["-c", `: < /dev/tcp/127.0.0.1/${port}`], { shell: "bash" }).then(
          () => true,
          () => false,
        ),
      {
        timeout: 10_000,
      },
    )
    .toBe(true);
  return `http://127.0.0.1:${port}`;
}

describe.skipIf(snixStore === undefined)("a real snix-store", () => {
  const program = snixStore ?? "";

  test("imports into our daemon what we import, under the same name, and we give it back", async () => {
    const tree = await sampleTree();
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const theirs = (await snix(program, daemon.url, "--otlp=false", "import", tree)).trim();
    const info = JSON.parse((await tvixStore("path-info", theirs, "--json", ...daemon.options)).stdout);
    const ours = await tvixStore("import", tree, ...daemon.options);
    expect(ours.stdout.trim()).toBe(theirs);
    const again = JSON.parse((await tvixStore("path-info", theirs, "--json", ...daemon.options)).stdout);
    expect(again.node).toEqual(info.node);
    const copy = `${tree}-copy`;
    await tvixStore("castore", "restore", info.node.digest, copy, ...daemon.options);
    execFileSync("diff", ["-r", "--no-dereference", tree, copy]);
  });

  test("as daemon takes what our client imports, and gives it back", async () => {
    const tree = await sampleTree();
    const url = await serve(program, ["--otlp=false", "daemon"]);
    const options = ["blob", "directory", "path-info"].flatMap((kind) => [
      `--${kind}-service-addr`,
      `grpc+${url}`,
    ]);
    const imported = await tvixStore("import", tree, "--json", ...options);
    expect(imported.stderr).toBe("");
    const [info] = JSON.parse(imported.stdout);
    const copy = `${tree}-copy`;
    expect(await tvixStore("castore", "restore", info.node.digest, copy, ...options)).toMatchObject({
      status: 0,
    });
    execFileSync("diff", ["-r", "--no-dereference", tree, copy]);
  });

  test("has a nar-bridge that serves parts of NARs out of our daemon", async ({ skip }) => {
    const bridge = find("nar-bridge") ?? find("snix-nar-bridge");
    if (bridge === undefined) return skip("there is no nar-bridge on the PATH");
    const tree = await sampleTree();
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const [info] = JSON.parse((await tvixStore("import", tree, "--json", ...daemon.options)).stdout);
    const url = await serve(bridge, ["--otlp=false"], daemon.url);
    const digest = info.path.slice("/nix/store/".length).slice(0, 32);
    const text = await (await fetch(`${url}/${digest}.narinfo`)).text();
    const file = /^URL: (.*)$/m.exec(text)?.[1];
    const whole = Buffer.from(await (await fetch(`${url}/${file}`)).arrayBuffer());
    const part = await fetch(`${url}/${file}`, { headers: { range: "bytes=100-5000000" } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100, 5_000_001))).toBe(true);
    const dumped = join(await temporaryDirectory(), "nar");
    await writeFile(dumped, whole);
    expect((await readFile(dumped)).length).toBe(info.narSize);
  });
});
