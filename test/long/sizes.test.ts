import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { afterAll, describe, expect, test } from "vitest";
import { endDaemon, startDaemon } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { AnonymousMemory } from "./anonymous-memory.ts";
import { noNginx, startNginx } from "./nginx.ts";

const BIN = join(import.meta.dirname, "../../packages/server/bin/tvix-store.js");
const NODE_OPTIONS = ["--max-semi-space-size=8", BIN];
const MIB = 1 << 20;

/** What people have; `at` is a file in it. */
const SHAPES: Readonly<Record<string, { make: (root: string) => Promise<void>; at: string }>> = {
  "100,000 files": { make: async (root) => await files(root, 100, 1000), at: "7/7" },
  "20,000 directories": { make: async (root) => await directories(root, 20_000), at: "77/file" },
  "200 files of 6 MB": { make: async (root) => await largeFiles(root, 200, 6_000_000), at: "7" },
  "100,000 entries": { make: async (root) => await entries(root, 100_000), at: "some-file-name-000007.txt" },
  "60 levels": { make: async (root) => await levels(root, 60), at: `${"d/".repeat(59)}file` },
  "4 GiB with holes": { make: async (root) => await sparse(root, 4096 * MIB), at: "sparse" },
};

async function files(root: string, folders: number, each: number): Promise<void> {
  for (let folder = 0; folder < folders; folder++) {
    await mkdir(join(root, `${folder}`), { recursive: true });
    await Promise.all(
      Array.from({ length: each }, (_, index) =>
        writeFile(join(root, `${folder}`, `${index}`), `${folder} ${index}\n`.repeat(1 + (index % 50))),
      ),
    );
  }
}

async function directories(root: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const directory = join(root, `${index}`);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "file"), `${index}`);
  }
}

async function largeFiles(root: string, count: number, length: number): Promise<void> {
  await mkdir(root);
  const contents = Buffer.alloc(length);
  for (let index = 0; index < count; index++) {
    for (let at = 0; at < length; at += 4) contents.writeUInt32LE(((at + index) * 2654435761) >>> 0, at);
    await writeFile(join(root, `${index}`), contents);
  }
}

async function entries(root: string, count: number): Promise<void> {
  await mkdir(root);
  for (let index = 0; index < count; index++) {
    await writeFile(join(root, `some-file-name-${`${index}`.padStart(6, "0")}.txt`), `${index % 1000}`);
  }
}

async function levels(root: string, depth: number): Promise<void> {
  const deepest = join(root, ..."d".repeat(depth - 1));
  await mkdir(deepest, { recursive: true });
  await writeFile(join(deepest, "file"), "at the bottom\n");
}

async function sparse(root: string, length: number): Promise<void> {
  await mkdir(root);
  const handle = await open(join(root, "sparse"), "w");
  for (let at = 0; at < length; at += length / 8) await handle.write(`at ${at}\n`, at);
  await handle.truncate(length);
  await handle.close();
}

/** A row of the table. */
interface Row {
  readonly what: string;
  readonly door: string;
  readonly step: string;
  readonly seconds: number;
  readonly command: number;
  readonly daemon: number | undefined;
}

const rows: Row[] = [];

afterAll(() => {
  const cells = rows.map(({ what, door, step, seconds, command, daemon }) =>
    [
      what.padEnd(20),
      door.padEnd(8),
      step.padEnd(11),
      seconds.toFixed(1).padStart(7),
      command.toFixed(0).padStart(8),
      (daemon?.toFixed(0) ?? "-").padStart(7),
    ].join(" "),
  );
  const head = `${"what".padEnd(20)} door     step        seconds  command  daemon (MiB of their own)`;
  console.log([head, ...cells].join("\n"));
});

/** What runs commands on one store, and measures them. */
class Runner {
  readonly #what: string;
  readonly #door: string;
  readonly #options: readonly string[];
  readonly #daemon: AnonymousMemory | undefined;

  constructor(what: string, door: string, options: readonly string[], daemon?: ChildProcess) {
    this.#what = what;
    this.#door = door;
    this.#options = options;
    this.#daemon = daemon === undefined ? undefined : new AnonymousMemory(daemon.pid ?? 0);
  }

  /** Runs a command; its output goes to a file, where one is given. */
  async run(step: string, args: readonly string[], output?: string): Promise<string> {
    const started = performance.now();
    this.#daemon?.takePeak();
    const sink = output === undefined ? undefined : await open(output, "w");
    const stdio = ["ignore", sink === undefined ? "pipe" : sink.fd, "pipe"] as const;
    const child = spawn(process.execPath, [...NODE_OPTIONS, ...args, ...this.#options], {
      stdio: [...stdio],
    });
    const memory = new AnonymousMemory(child.pid ?? 0);
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (piece) => {
      stdout += piece;
    });
    child.stderr?.on("data", (piece) => {
      stderr += piece;
    });
    const [status] = await once(child, "close");
    await sink?.close();
    memory.end();
    expect({ step, status, stderr }).toEqual({ step, status: 0, stderr: "" });
    rows.push({
      what: this.#what,
      door: this.#door,
      step,
      seconds: (performance.now() - started) / 1000,
      command: memory.takePeak(),
      daemon: this.#daemon?.takePeak(),
    });
    return stdout.trim();
  }

  end(): void {
    this.#daemon?.end();
  }
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

describe.each(Object.entries(SHAPES))("%s", (what, { make, at }) => {
  test("directly, through a daemon, and through nginx", { timeout: 1_200_000 }, async () => {
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
  });
});

test("a hundred calls at once: puts and reads of 6 MB each", { timeout: 600_000 }, async () => {
  const base = await temporaryDirectory();
  await largeFiles(join(base, "files"), 100, 6_000_000);
  const daemon = await startDaemon(join(base, "data"));
  const memory = new AnonymousMemory(daemon.process.pid ?? 0);
  await using transport = createGrpcTransport({ url: daemon.url });
  const blobs = new GrpcBlobService(transport);
  const started = performance.now();
  const names = await readdir(join(base, "files"));
  const digests = await Promise.all(
    names.map((name) => blobs.put(createReadStream(join(base, "files", name)))),
  );
  const put = (performance.now() - started) / 1000;
  const peakOfPuts = memory.takePeak();
  const found = await Promise.all(
    digests.map(async (digest) => {
      const hasher = B3Digest.createHasher();
      for await (const piece of (await blobs.read(digest)) ?? []) hasher.update(piece);
      return B3Digest.finish(hasher).equals(digest);
    }),
  );
  expect(found).toEqual(names.map(() => true));
  const read = (performance.now() - started) / 1000 - put;
  const daemonMemory = { puts: peakOfPuts, reads: memory.takePeak() };
  memory.end();
  for (const [step, seconds, peak] of [
    ["put", put, daemonMemory.puts],
    ["read", read, daemonMemory.reads],
  ] as const) {
    rows.push({ what: "100 calls of 6 MB", door: "daemon", step, seconds, command: 0, daemon: peak });
  }
  const directories = new GrpcDirectoryService(transport);
  const missing = B3Digest.of(Buffer.from("no such directory"));
  const answers = await Promise.all(Array.from({ length: 100 }, () => directories.get(missing)));
  expect(answers.every((answer) => answer === undefined)).toBe(true);
});
