import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openStore } from "@tvix/castore-packs";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { folderOf } from "../src/cli/home.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";

const BIN = join(import.meta.dirname, "../bin/tvix-store.js");

/** A data directory with a tree in it, and the digest of that. */
async function withTree() {
  const folder = await temporaryDirectory();
  const [data, tree] = [join(folder, "data"), join(folder, "tree")];
  await mkdir(tree);
  await writeFile(join(tree, "file"), "contents\n");
  const { stdout } = await tvixStore("castore", "ingest", tree, "--data", data);
  return { folder, data, tree, digest: stdout.trim() };
}

test("an argument that is not UTF-8 is not taken for another file", async () => {
  const { folder, data } = await withTree();
  await writeFile(join(folder, "o\ufffd"), "of somebody else");
  const script = `"${process.execPath}" "${BIN}" castore ingest "$(printf '${folder}/o\\377')" --data "${data}"`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("is not UTF-8");
  // Who calls a file so may have it.
  expect(await tvixStore("castore", "ingest", join(folder, "o\ufffd"), "--data", data)).toMatchObject({
    status: 0,
  });
});

test("a file of settings is UTF-8, and says no- to nothing", async () => {
  const file = join(await temporaryDirectory(), "settings.toml");
  await writeFile(file, Buffer.from('[daemon]\ndata = "/tmp/\xff"\n', "latin1"));
  expect(await tvixStore("config", "check", file)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("is not UTF-8"),
  });
  await writeFile(file, "\ufeff[daemon]\nno-sync = true\nno-uploads = false\nuploads = true\n");
  const { status, stdout, stderr } = await tvixStore("config", "check", file);
  expect(status).toBe(1);
  expect(stdout + stderr).toMatch(/:2:\d+: there is no setting "no-sync" in \[daemon\]; say sync = false/);
  expect(stdout + stderr).toMatch(
    /:3:\d+: there is no setting "no-uploads" in \[daemon\]; say uploads = false/,
  );
});

test.each([["a tree"], ["an archive", "--format", "tar"]])(
  "%s takes the place of no pipe or device, nor of the store that it comes from",
  async (_, ...format) => {
    const { folder, data, digest } = await withTree();
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    await symlink(pipe, join(folder, "link"));
    const restore = async (destination: string) =>
      await tvixStore("castore", "restore", digest, destination, "--overwrite", ...format, "--data", data);
    for (const destination of [pipe, join(folder, "link"), data, join(data, "packs"), folder]) {
      expect(await restore(destination)).toMatchObject({ status: 1 });
    }
    expect(execFileSync("stat", ["-c", "%F", pipe]).toString().trim()).toBe("fifo");
    const nameless = await tvixStore("castore", "ls", digest, "--data", data);
    expect(nameless).toMatchObject({ status: 0, stdout: expect.stringContaining("file") });
  },
);

test("a store is opened once, by whatever name", async () => {
  const { folder, data } = await withTree();
  const link = join(folder, "link");
  await symlink("data", link);
  {
    await using _ = await openStore(data);
    await expect(openStore(link)).rejects.toMatchObject({ code: "LOCKED" });
  }
  const migrate = await tvixStore("migrate", "--from", `level://${data}`, "--to", `level://${link}`);
  expect(migrate.status).toBe(1);
  expect(await tvixStore("verify", "--data", link)).toMatchObject({ status: 0 });
});

test("a digest is what it is said to be", async () => {
  const { data, tree, digest } = await withTree();
  const { stdout } = await tvixStore("castore", "ingest", join(tree, "file"), "--data", data);
  const file = stdout.trim();
  for (const args of [
    ["ls", `file:${digest}`],
    ["cat", `directory:${file}`],
    ["cat", `file:${digest}`, "file"],
  ]) {
    expect((await tvixStore("castore", ...args, "--data", data)).status).not.toBe(0);
  }
  for (const args of [
    ["ls", `directory:${digest}`],
    ["cat", `file:${file}`],
    ["cat", `directory:${digest}`, "file"],
  ]) {
    expect(await tvixStore("castore", ...args, "--data", data)).toMatchObject({ status: 0 });
  }
});

test("what a command has open is not imported as a link to it", async () => {
  const { data } = await withTree();
  const script = `echo contents | "${process.execPath}" "${BIN}" import /dev/stdin --data "${data}"`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("/dev/stdin is what is open here");
});

test("a path of the same digest and another name is neither forgotten nor pinned", async () => {
  const { data, tree } = await withTree();
  const path = (await tvixStore("import", tree, "--data", data)).stdout.trim();
  const other = `${path.slice(0, "/nix/store/".length + 33)}other`;
  expect((await tvixStore("forget", other, "--data", data)).status).toBe(1);
  expect((await tvixStore("pin", "mine", other, "--data", data)).status).toBe(1);
  expect((await tvixStore("pins", "--data", data)).stdout).toBe("");
  expect(await tvixStore("path-info", path, "--data", data)).toMatchObject({ status: 0 });
});

test("names in a tree do not speak to a terminal", async () => {
  const { folder, data } = await withTree();
  const odd = join(folder, "odd");
  await mkdir(odd);
  execFileSync("mkfifo", [join(odd, "\u001b[31m\nx")]);
  for (const command of [["castore", "ingest"], ["import"]]) {
    const { status, stderr } = await tvixStore(...command, odd, "--data", data);
    expect(status).toBe(1);
    expect(stderr).not.toContain("\u001b");
    expect(stderr.trimEnd()).not.toContain("\n");
  }
  await symlink("\u001b[31m", join(folder, "red"));
  expect((await tvixStore("castore", "ingest", join(folder, "red"), "--data", data)).stderr).not.toContain(
    "\u001b",
  );
});

test("no signal opens a debugger", async () => {
  const { data } = await withTree();
  const daemon = await startDaemon(data);
  daemon.process.kill("SIGUSR1");
  await pause(300);
  expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
  await expect(fetch("http://127.0.0.1:9229/json/list")).rejects.toThrow();
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
});

test("a backup that is not as it was made is told of when it is restored", async () => {
  const { folder, data, tree } = await withTree();
  const backup = join(folder, "backup");
  expect(await tvixStore("import", tree, "--data", data)).toMatchObject({ status: 0 });
  expect(await tvixStore("backup", backup, "--data", data)).toMatchObject({ status: 0 });
  expect((await tvixStore("backup", join(data, "within"), "--data", data)).stderr).toContain("lies in");
  expect((await tvixStore("restore-backup", backup, "--data", join(backup, "x"))).stderr).toContain(
    "lies in",
  );
  const [name = ""] = (await readdir(join(backup, "journal"))).filter((one) => one.endsWith(".journal"));
  const journal = join(backup, "journal", name);
  const whole = await readFile(journal);
  const flipped = Buffer.from(whole);
  flipped[whole.length - 3] = (flipped[whole.length - 3] as number) ^ 1;
  let number = 0;
  for (const damaged of [whole.subarray(0, -1), Buffer.alloc(0), flipped]) {
    await writeFile(journal, damaged);
    const restored = await tvixStore("restore-backup", backup, "--data", join(folder, `r${number++}`));
    expect(restored.status).toBe(1);
    expect(restored.stderr).toContain(`not as it was made, and what was in it may be lost: journal/${name}`);
  }
  await writeFile(journal, whole);
  expect(await tvixStore("restore-backup", backup, "--data", join(folder, "good"))).toMatchObject({
    status: 0,
  });
  // One more backup into it, and it is as it should be.
  expect(await tvixStore("backup", backup, "--data", data)).toMatchObject({ status: 0 });
});

test("folders of a user are absolute", () => {
  vi.stubEnv("HOME", "");
  onTestFinished(() => void vi.unstubAllEnvs());
  const usual = folderOf(undefined, ".config");
  expect(isAbsolute(usual)).toBe(true);
  for (const given of ["", "relative", "./here"]) expect(folderOf(given, ".config")).toBe(usual);
  expect(folderOf("/given", ".config")).toBe("/given");
});
