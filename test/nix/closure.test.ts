import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { startDaemon } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { nixHome, removeHome } from "./nix-home.ts";
import { noNix } from "./real-nix.ts";

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

const CLOSURE = join(import.meta.dirname, "closure.nix");

test.skipIf(noNix !== undefined)(
  "a real nix-store imports what the store exports of a closure",
  async () => {
    const base = await mkdtemp(join(tmpdir(), "nix-home-"));
    onTestFinished(() => removeHome(base));
    const home = await nixHome(base);
    const seed = `closure ${process.pid} ${Date.now()}`;
    const args = ["--argstr", "seed", seed, "--argstr", "size", "5000000", "-A"];
    const build = async (name: string) =>
      (await home.run("nix-build", CLOSURE, "--no-out-link", ...args, name)).trim().split("\n");
    const roots = [...(await build("tool.all")), ...(await build("large"))];
    const { url } = await startDaemon(join(await temporaryDirectory(), "data"));
    await home.nix("copy", "--to", url, ...roots);

    const hashes = roots.map((path) => basename(path).slice(0, 32));
    const response = await fetch(`${url}/closure/${hashes.join(",")}`);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "application/x-nix-export",
    ]);
    const exported = join(base, "exported");
    await writeFile(exported, Buffer.from(await response.arrayBuffer()));
    const store = home.freshStore();
    const imported = await promisify(execFile)("/bin/sh", [
      "-c",
      'nix-store --store "$0" --option build-users-group "" --import < "$1"',
      store,
      exported,
    ]);
    const expected = (await home.run("nix-store", "--query", "--requisites", ...roots)).trim().split("\n");
    expect(imported.stdout.trim().split("\n").sort()).toEqual([...new Set(expected)].sort());
    await home.nix("store", "verify", "--no-trust", "--all", "--store", store);
    for (const path of roots) {
      execFileSync("diff", ["-r", "--no-dereference", path, join(store, path)], { stdio: "pipe" });
      const [here, there] = await Promise.all([
        home.run("nix-store", "--query", "--references", path),
        home.run("nix-store", "--query", "--references", path, "--store", store),
      ]);
      expect(there).toBe(here);
    }
    expect((await fetch(`${url}/closure/${"0".repeat(32)}`)).status).toBe(404);
    expect((await fetch(`${url}/closure/${hashes[0]}`, { method: "HEAD" })).status).toBe(200);
  },
  120_000,
);
