import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { fixtures } from "@tvix/castore/testing";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";

async function sampleTree(): Promise<string> {
  const root = join(await temporaryDirectory(), "tree");
  await mkdir(join(root, "sub"), { recursive: true });
  await writeFile(join(root, "hello.txt"), "Hello World!");
  await writeFile(join(root, "sub", "run"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("../hello.txt", join(root, "sub", "link"));
  return root;
}

describe.each(["a daemon", "a data directory"])("castore commands on %s", (where) => {
  const prepare = async () => {
    const data = join(await temporaryDirectory(), "data");
    return where === "a daemon" ? (await startDaemon(data)).options : ["--data", data];
  };

  test("put a tree in, look at it, and get it out", async () => {
    const options = await prepare();
    const root = await sampleTree();
    const ingested = await tvixStore("castore", "ingest", root, ...options);
    expect(ingested).toMatchObject({ status: 0, stderr: "" });
    expect(ingested.stdout).toMatch(/^blake3-[\w+/]{43}=\n$/);
    const digest = ingested.stdout.trim();

    const asJson = await tvixStore("castore", "ingest", root, "--json", ...options);
    expect(JSON.parse(asJson.stdout)).toEqual({ type: "directory", digest, size: 8 });

    const listed = await tvixStore("castore", "ls", digest, "-R", ...options);
    expect(listed.stdout.split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "))).toEqual([
      "f 12",
      "d 4",
      "l -",
      "x 10",
      "",
    ]);
    expect(listed.stdout).toMatch(/ hello\.txt\n.* sub\n.* sub\/link -> \.\.\/hello\.txt\n.* sub\/run\n$/);
    const sub = await tvixStore("castore", "ls", digest, "sub", "--json", ...options);
    expect(JSON.parse(sub.stdout)).toEqual([
      { path: "sub/link", type: "symlink", target: "../hello.txt" },
      expect.objectContaining({ path: "sub/run", type: "file", size: 10, executable: true }),
    ]);

    expect(await tvixStore("castore", "cat", digest, "hello.txt", ...options)).toEqual({
      status: 0,
      stdout: "Hello World!",
      stderr: "",
    });
    const blob = "blake3-XKeBWty0hOmhNsEe/mnB1TAXbVSbXRjQOOtSgLSzRww=";
    expect((await tvixStore("castore", "cat", blob, ...options)).stdout).toBe("Hello World!");

    const copy = `${root}-copy`;
    expect(await tvixStore("castore", "restore", digest, copy, ...options)).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
    execFileSync("diff", ["-r", "--no-dereference", root, copy]);
    const again = await tvixStore("castore", "restore", digest, copy, ...options);
    expect(again).toEqual({ status: 1, stdout: "", stderr: `tvix-store: ${copy} exists already\n` });
    expect((await tvixStore("castore", "restore", digest, copy, "--overwrite", ...options)).status).toBe(0);
    expect(
      (await tvixStore("castore", "restore", blob, `${copy}-file`, "--executable", ...options)).status,
    ).toBe(0);
    expect(await readFile(`${copy}-file`, "utf8")).toBe("Hello World!");
  });

  test("say what is not there", async () => {
    const options = await prepare();
    const digest = (await tvixStore("castore", "ingest", await sampleTree(), ...options)).stdout.trim();
    const unknown = "af".repeat(32);
    const failures: [string[], RegExp][] = [
      [["ls", unknown], /directory blake3-\S+ is not in the store/],
      [["ls", digest, "no/such"], /there is no no\/such in directory/],
      [["cat", unknown], /blob blake3-\S+ is not in the store/],
      [["cat", digest, "sub"], /sub is a directory, not a file/],
      [["restore", unknown, "/tmp/never"], /neither a directory nor a blob blake3-\S+ is in the store/],
      [["ingest", "/no/such/path"], /cannot read \/no\/such\/path: ENOENT: no such file/],
    ];
    for (const [args, message] of failures) {
      const { status, stdout, stderr } = await tvixStore("castore", ...args, ...options);
      expect(stderr).toMatch(message);
      expect([status, stdout, stderr.split("\n").length]).toEqual([1, "", 2]);
    }
  });
});

describe("what ingest prints leads back to what was ingested", () => {
  test("also where a directory and a file have the same digest", async () => {
    const folder = await temporaryDirectory();
    const options = ["--data", join(folder, "data")];
    const [file, directory] = [join(folder, "file"), join(folder, "directory")];
    await writeFile(file, "");
    await mkdir(directory);
    const names: string[] = [];
    for (const path of [file, directory]) {
      names.push((await tvixStore("castore", "ingest", path, ...options)).stdout.trim());
    }
    expect(names.map((name) => name.split(":")[0])).toEqual(["file", "directory"]);
    for (const [index, name] of names.entries()) {
      const copy = join(folder, `copy-${index}`);
      expect((await tvixStore("castore", "restore", name, copy, ...options)).status).toBe(0);
      expect((await stat(copy)).isDirectory()).toBe(index === 1);
      expect((await tvixStore("nar", "dump", name, ...options)).stdout).toContain(
        index === 1 ? "directory" : "regular",
      );
    }
    const bare = names[0]?.split(":")[1] as string;
    const ambiguous = await tvixStore("castore", "restore", bare, join(folder, "never"), ...options);
    expect([ambiguous.status, ambiguous.stderr]).toEqual([
      1,
      expect.stringContaining(`directory:${bare} or file:${bare}`),
    ]);
  });

  test("or nothing is stored: a link has no digest", async () => {
    const folder = await temporaryDirectory();
    await symlink("target", join(folder, "link"));
    const refused = await tvixStore(
      "castore",
      "ingest",
      join(folder, "link"),
      "--data",
      join(folder, "data"),
    );
    expect(refused).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("symbolic link to target"),
    });
  });

  test("- is standard input", async () => {
    const data = join(await temporaryDirectory(), "data");
    const bin = join(import.meta.dirname, "../bin/tvix-store.js");
    const printed = execFileSync(process.execPath, [bin, "castore", "ingest", "-", "--data", data], {
      input: "Hello World!",
      encoding: "utf8",
    });
    expect(printed).toBe("blake3-XKeBWty0hOmhNsEe/mnB1TAXbVSbXRjQOOtSgLSzRww=\n");
  });
});

describe("restore", () => {
  test.each(["SIGINT", "SIGHUP", "SIGTERM"] as const)(
    "that is ended by %s leaves nothing behind",
    async (signal) => {
      const folder = await temporaryDirectory();
      const options = ["--data", join(folder, "data")];
      await writeFile(join(folder, "large"), Buffer.alloc(200_000_000, "large"));
      const name = (await tvixStore("castore", "ingest", join(folder, "large"), ...options)).stdout.trim();
      await mkdir(join(folder, "to"));
      const bin = join(import.meta.dirname, "../bin/tvix-store.js");
      const child = spawn(
        process.execPath,
        [bin, "castore", "restore", name, join(folder, "to", "copy"), ...options],
        {
          stdio: "ignore",
        },
      );
      await expect
        .poll(async () => (await readdir(join(folder, "to"))).length, { interval: 5, timeout: 10_000 })
        .toBe(1);
      child.kill(signal);
      const [, endedBy] = await once(child, "exit");
      expect(endedBy).toBe(signal);
      expect(await readdir(join(folder, "to"))).toEqual([]);
    },
  );

  test("to a name of 255 bytes, and an error names the place where it was to come", async () => {
    const folder = await temporaryDirectory();
    const options = ["--data", join(folder, "data")];
    await writeFile(join(folder, "file"), "contents");
    const name = (await tvixStore("castore", "ingest", join(folder, "file"), ...options)).stdout.trim();
    const long = join(folder, "n".repeat(255));
    expect(await tvixStore("castore", "restore", name, long, ...options)).toMatchObject({
      status: 0,
      stderr: "",
    });
    const nowhere = join(folder, "no", "where");
    const refused = await tvixStore("castore", "restore", name, nowhere, ...options);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`cannot create ${nowhere}: ENOENT`),
    ]);
    expect(refused.stderr).not.toContain(".tvix-");
  });

  test("over what its owner may not write to", async () => {
    const folder = await temporaryDirectory();
    const options = ["--data", join(folder, "data")];
    await mkdir(join(folder, "new"));
    await writeFile(join(folder, "new", "file"), "new");
    const name = (await tvixStore("castore", "ingest", join(folder, "new"), ...options)).stdout.trim();
    const target = join(folder, "to", "old");
    await mkdir(join(target, "closed"), { recursive: true });
    await writeFile(join(target, "closed", "file"), "old");
    await chmod(join(target, "closed"), 0o555);
    const bin = join(import.meta.dirname, "../bin/tvix-store.js");
    const command = [process.execPath, bin, "castore", "restore", name, target, "--overwrite", ...options];
    // Root may write everywhere.
    if (process.getuid?.() === 0) {
      execFileSync("chown", ["-R", "65534:65534", folder]);
      execFileSync("chmod", ["755", folder]);
      command.unshift("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", `HOME=${folder}`);
    }
    execFileSync(command[0] as string, command.slice(1), { cwd: folder, stdio: "pipe" });
    expect(await readFile(join(target, "file"), "utf8")).toBe("new");
    expect(await readdir(join(folder, "to"))).toEqual(["old"]);
  });
});

test.each([
  [["castore", "ls"]],
  [["castore", "ls", "no digest"]],
  [["castore", "ls", "af".repeat(32), "../up"]],
  [["castore", "ingest", "a", "b"]],
  [["castore", "cat", "af".repeat(32), "--blob-service-addr", "http://localhost"]],
  [["castore", "cat", "af".repeat(32), "--blob-service-addr", "grpc+http://localhost/path"]],
  [["castore", "cat", "af".repeat(32), "--data", "/tmp/x", "--blob-service-addr", "grpc+http://localhost"]],
  [["daemon", "--listen-address", "localhost"]],
  [["daemon", "--listen-address", "localhost:70000"]],
  [["daemon", "--compression-level", "fast"]],
  [["daemon", "surplus"]],
  [["no-such-command"]],
  [["--no-such-option"]],
])("wrong usage exits with 2 and says why: %j", async (args) => {
  const { status, stdout, stderr } = await tvixStore(...args);
  expect(stderr).toMatch(/^error: .+/);
  expect([status, stdout]).toEqual([2, ""]);
});

test("help and version exit with 0", async () => {
  expect(await tvixStore("--version")).toMatchObject({ status: 0, stdout: "0.1.0\n" });
  expect((await tvixStore("daemon", "--help")).stdout).toMatch(/--listen-address/);
});

test("a daemon that is not there is a failure that names its address", async () => {
  const { status, stderr } = await tvixStore(
    "castore",
    "cat",
    "af".repeat(32),
    "--blob-service-addr",
    "grpc+http://127.0.0.1:9",
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/cannot connect to http:\/\/127\.0\.0\.1:9: connect ECONNREFUSED/);
});

test("a reader that has seen enough is no failure worth a stack", async () => {
  const data = join(await temporaryDirectory(), "data");
  const path = join(await temporaryDirectory(), "large");
  await writeFile(path, fixtures.pseudoRandomBytes(3_000_000));
  const digest = (await tvixStore("castore", "ingest", path, "--data", data)).stdout.trim();
  const bin = join(import.meta.dirname, "../bin/tvix-store.js");
  const cat = spawn(process.execPath, [bin, "castore", "cat", digest, "--data", data], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  cat.stderr.on("data", (piece) => {
    stderr += piece;
  });
  await once(cat.stdout, "data");
  cat.stdout.destroy();
  await once(cat, "exit");
  expect(stderr).not.toMatch(/at .*\.js|Unhandled/);
});

describe("the daemon", () => {
  test("refuses a data directory that another one has open", async () => {
    const data = join(await temporaryDirectory(), "data");
    await startDaemon(data);
    const second = await tvixStore("daemon", "--data", data, "--listen-address", "127.0.0.1:0");
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toMatch(`tvix-store: ${data} is in use by another process`);
    const direct = await tvixStore("castore", "ls", "af".repeat(32), "--data", data);
    expect(direct.stderr).toMatch(`tvix-store: ${data} is in use by another process`);
  });

  test("says that its address is taken", async () => {
    const { url } = await startDaemon(join(await temporaryDirectory(), "data"));
    const data = join(await temporaryDirectory(), "other");
    const second = await tvixStore("daemon", "--data", data, "--listen-address", url.slice("http://".length));
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/EADDRINUSE/);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "on %s finishes what is under way and exits with 0",
    async (signal) => {
      const data = join(await temporaryDirectory(), "data");
      const daemon = await startDaemon(data);
      const transport = createGrpcTransport({ url: daemon.url });
      const started = Promise.withResolvers<void>();
      async function* source() {
        yield { data: fixtures.pseudoRandomBytes(1_000_000, 1) };
        started.resolve();
        await stopping.promise;
        yield { data: fixtures.pseudoRandomBytes(1_000_000, 2) };
      }
      const stopping = Promise.withResolvers<void>();
      const put = createClient(BlobService, transport).put(source());
      await started.promise;
      daemon.process.stderr?.on("data", () => {
        if (daemon.log().includes("finishing what is under way")) stopping.resolve();
      });
      const ended = endDaemon(daemon, signal);
      const { digest } = await put;
      await transport.close();
      expect(await ended).toBe(0);
      await expect.poll(daemon.log).toMatch(/"stopped"/);

      const restarted = await startDaemon(data);
      const { stdout } = await tvixStore(
        "castore",
        "cat",
        Buffer.from(digest).toString("hex"),
        ...restarted.options,
      );
      expect(stdout.length).toBeGreaterThan(0);
    },
  );

  test("makes its data directory where there is none", async () => {
    const data = join(await temporaryDirectory(), "a", "b");
    await startDaemon(data);
    expect((await readdir(data)).sort()).toEqual(["index", "journal", "packs"]);
  });
});
