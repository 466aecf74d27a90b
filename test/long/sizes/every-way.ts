import { execFileSync } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { endDaemon, startDaemon } from "../../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { noNginx, startNginx } from "../nginx.ts";
import { Runner } from "./runner.ts";
import { SHAPES } from "./shapes.ts";

/** Takes a tree through every command: directly, through a daemon, and through nginx. */
export async function throughEveryDoor(what: keyof typeof SHAPES): Promise<void> {
  const { make, at } = SHAPES[what];
  const base = await temporaryDirectory();
  const tree = join(base, "tree");
  await make(tree);
  const direct = new Runner(what, "--data", ["--data", join(base, "direct")]);
  await everyWay(direct, base, tree, at);
  await rm(join(base, "direct"), { recursive: true });

  const daemon = await startDaemon(join(base, "data"));
  const through = new Runner(what, "daemon", ["--service-addr", `grpc+${daemon.url}`], daemon.process);
  await everyWay(through, base, tree, at);
  through.end();
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  await rm(join(base, "data"), { recursive: true });

  if (noNginx !== undefined) {
    console.log(`not through nginx: ${noNginx}`);
    return;
  }
  const behind = await startDaemon(join(base, "behind"));
  const url = await startNginx(base, behind.url);
  const proxied = new Runner(what, "nginx", ["--service-addr", `grpc+${url}`], behind.process);
  await thereAndBack(proxied, base, tree);
  proxied.end();
}

/** Everything that can be done with a tree, and each result compared with the tree itself. */
async function everyWay(runner: Runner, base: string, tree: string, at: string): Promise<void> {
  const [out, nar, listing, file] = ["out", "nar", "listing", "file"].map((name) => join(base, name)) as [
    string,
    string,
    string,
    string,
  ];
  const digest = await runner.run("ingest", ["castore", "ingest", tree]);
  const path = await runner.run("import", ["import", tree]);
  await runner.run("ls -R", ["castore", "ls", "-R", "-z", digest], listing);
  const found = execFileSync("find", [tree, "-mindepth", "1", "-printf", "x"], { maxBuffer: 1 << 30 }).length;
  expect(
    execFileSync("sh", ["-c", `tr -dc '\\0' < ${listing} | wc -c`])
      .toString()
      .trim(),
  ).toBe(`${found}`);
  await runner.run("restore", ["castore", "restore", digest, out]);
  execFileSync("diff", ["-r", "--no-dereference", tree, out], { stdio: "pipe" });
  await rm(out, { recursive: true });
  await runner.run("nar dump", ["nar", "dump", path], nar);
  expect(await runner.run("nar ingest", ["nar", "ingest", nar])).toBe(digest);
  await runner.run("cat", ["castore", "cat", digest, at], file);
  execFileSync("cmp", [file, join(tree, at)], { stdio: "pipe" });
  const info = JSON.parse(await runner.run("path-info", ["path-info", path, "--json"]));
  expect(info.narSize).toBe((await stat(nar)).size);
  for (const made of [nar, listing, file]) await rm(made);
}

/** Into the store and out of it: what a proxy in between might break. */
async function thereAndBack(runner: Runner, base: string, tree: string): Promise<void> {
  const out = join(base, "out");
  const digest = await runner.run("ingest", ["castore", "ingest", tree]);
  await runner.run("restore", ["castore", "restore", digest, out]);
  execFileSync("diff", ["-r", "--no-dereference", tree, out], { stdio: "pipe" });
}
