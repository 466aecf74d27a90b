import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bzip2Sync } from "../../packages/nar-bridge/test/tools.ts";
import { installedProject } from "../packed.ts";
import { temporaryDirectory } from "../temporary.ts";

/** All packages: none of them is published yet. */
const FOLDERS = globSync("packages/*/package.json").map((file) => basename(dirname(file)));

test("the command, packed and installed with npm somewhere else, has all that it uses", async () => {
  const project = join(await temporaryDirectory(), "project");
  await installedProject(project, FOLDERS);
  const bin = join(project, "node_modules/.bin/tvix-store");
  const run = (...args: string[]) => execFileSync(bin, args, { cwd: project, encoding: "utf8" });
  expect(run("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  await mkdir(join(project, "tree"));
  // Some that are compressed by threads, and one that is not.
  for (const [name, length] of Object.entries({ short: 10, long: 3_000_000 })) {
    await writeFile(join(project, "tree", name), "contents ".repeat(length / 9 + 1));
  }
  const path = run("import", "./tree", "--data", "./data").trim();
  const daemon = spawn(bin, ["daemon", "--data", "./data", "--listen-address", "127.0.0.1:0"], {
    cwd: project,
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void daemon.kill("SIGKILL"));
  let log = "";
  const url = await new Promise<string>((resolve, reject) => {
    daemon.once("exit", () => reject(new Error(log)));
    daemon.stderr.on("data", (piece) => {
      log += piece;
      const [, port] = /"addresses":\["127\.0\.0\.1:(\d+)"/.exec(log) ?? [];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });
  expect(await (await fetch(url, { headers: { accept: "text/html" } })).text()).toContain("<title>");
  const narInfo = await (await fetch(`${url}/${path.slice(11, 43)}.narinfo`)).text();
  const file = /^URL: (.*)$/m.exec(narInfo)?.[1]?.replace(/\.zst$/, "") as string;
  const nar = new Uint8Array(await (await fetch(`${url}/${file}`)).arrayBuffer());
  // xz is native code, bzip2 a thread of its own.
  expect((await fetch(`${url}/${file}.xz`)).status).toBe(200);
  const bzip2 = await fetch(`${url}/${file}.bz2`, { method: "PUT", body: bzip2Sync(nar) as BodyInit });
  expect([bzip2.status, await bzip2.text()]).toEqual([200, ""]);
  expect(run("castore", "--help")).toContain("ingest");
  daemon.kill("SIGTERM");
  expect(await once(daemon, "exit")).toEqual([0, null]);
});
