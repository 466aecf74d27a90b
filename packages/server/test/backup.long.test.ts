import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

const { pseudoRandomBytes } = fixtures;

/** A tree with files of several sizes that no other has. */
async function makeTree(path: string, seed: number): Promise<void> {
  await mkdir(path, { recursive: true });
  for (const [index, size] of [10, 3000, 400_000].entries()) {
    await writeFile(join(path, `file-${index}`), pseudoRandomBytes(size, 10 * seed + index + 1));
  }
}

/** Starts a daemon, and returns the options for who may do everything with it. */
async function daemonOf(base: string, data: string): Promise<readonly string[]> {
  const tokens = join(base, "tokens.json");
  const token = await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens);
  await writeFile(join(base, "token"), token.stdout);
  const daemon = await startDaemon(data, "--token-file", tokens);
  return ["--service-addr", `grpc+${daemon.url}`, "--bearer-token-file", join(base, "token")];
}

async function listed(data: string): Promise<readonly string[]> {
  const { stdout } = await tvixStore("path-info", "list", "--data", data);
  return stdout.trim().split("\n").filter(Boolean).sort();
}

/** The paths of a store made of a backup, of which all is whole. */
async function restored(backup: string, data: string): Promise<readonly string[]> {
  const made = await tvixStore("restore-backup", backup, "--data", data);
  expect(made.status, made.stderr).toBe(0);
  const verified = await tvixStore("verify", "--read-data", "--data", data);
  expect(verified, verified.stdout).toMatchObject({ status: 0 });
  return await listed(data);
}

test("a backup of a store in use has what was acknowledged before it, and is whole; the next has what is new", {
  timeout: 180_000,
}, async () => {
  const base = await temporaryDirectory();
  const [data, backup] = [join(base, "data"), join(base, "backup")];
  const address = await daemonOf(base, data);
  const known: string[] = [];
  let isOver = false;
  const uploads = (async () => {
    for (let seed = 1; !isOver || seed < 5; seed++) {
      const tree = join(base, `tree-${seed}`);
      await makeTree(tree, seed);
      const imported = await tvixStore("import", tree, ...address);
      expect(imported.status, imported.stderr).toBe(0);
      known.push(imported.stdout.trim());
    }
  })();
  let written = 0;
  for (let round = 0; round < 4; round++) {
    const before = [...known];
    const made = await tvixStore("backup", backup, "--json", ...address);
    expect(made.status, made.stderr).toBe(0);
    const report = JSON.parse(made.stdout);
    written += report.written;
    const paths = await restored(backup, join(base, `restored-${round}`));
    for (const path of before) expect(paths).toContain(path);
    // What was copied before is not copied again.
    expect(written).toBe(report.bytes);
  }
  isOver = true;
  await uploads;
});

test("what was forgotten goes from the backup with the next one", { timeout: 120_000 }, async () => {
  const base = await temporaryDirectory();
  const [data, backup] = [join(base, "data"), join(base, "backup")];
  const secret = "the secret that was leaked into the store by mistake";
  await makeTree(join(base, "tree"), 1);
  await writeFile(join(base, "secret"), secret.repeat(3));
  await tvixStore("import", join(base, "tree"), "--data", data);
  const path = (await tvixStore("import", join(base, "secret"), "--data", data)).stdout.trim();
  expect((await tvixStore("backup", backup, "--data", data)).status).toBe(0);
  const isIn = async (folder: string) => {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    );
    const contents = await Promise.all(files.map((one) => readFile(join(one.parentPath, one.name))));
    return contents.some((bytes) => bytes.includes(path.slice("/nix/store/".length)));
  };
  expect(await isIn(backup)).toBe(true);
  expect((await tvixStore("forget", path, "--data", data)).status).toBe(0);
  expect((await tvixStore("backup", backup, "--data", data)).status).toBe(0);
  expect(await isIn(backup)).toBe(false);
  expect(await isIn(data)).toBe(false);
  expect(await restored(backup, join(base, "restored"))).toEqual(await listed(data));
});

test("one that was interrupted is a whole store, and the next goes on", { timeout: 120_000 }, async () => {
  const base = await temporaryDirectory();
  const [data, backup] = [join(base, "data"), join(base, "backup")];
  await makeTree(join(base, "tree"), 1);
  await tvixStore("import", join(base, "tree"), "--data", data);
  await tvixStore("backup", backup, "--data", data);
  const marker = join(backup, "this-is-a-backup-of-a-tvix-store");
  const first = await readFile(marker);
  const before = await listed(data);
  await makeTree(join(base, "other"), 2);
  await tvixStore("import", join(base, "other"), "--data", data);
  await tvixStore("backup", backup, "--data", data);
  // As if it had ended with packs, and a part of the journal, before it could say so.
  await writeFile(marker, first);
  const journal = join(backup, "journal");
  const newest = join(journal, (await readdir(journal)).sort().at(-1) as string);
  const bytes = await readFile(newest);
  await writeFile(newest, bytes.subarray(0, bytes.length - 10));
  const paths = await restored(backup, join(base, "restored"));
  for (const path of before) expect(paths).toContain(path);
  const again = await tvixStore("backup", backup, "--json", "--data", data);
  expect(JSON.parse(again.stdout).written).toBeGreaterThan(0);
  expect(await restored(backup, join(base, "again"))).toEqual(await listed(data));
});

test("a backup of another store is not touched, such as when a daemon has begun with an empty folder", async () => {
  const base = await temporaryDirectory();
  const [data, backup] = [join(base, "data"), join(base, "backup")];
  await makeTree(join(base, "tree"), 1);
  await tvixStore("import", join(base, "tree"), "--data", data);
  expect((await tvixStore("backup", backup, "--data", data)).status).toBe(0);
  await tvixStore("import", join(base, "tree"), "--data", join(base, "other"));
  const refused = await tvixStore("backup", backup, "--data", join(base, "other"));
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("of another store") });
  expect(await restored(backup, join(base, "restored"))).toEqual(await listed(data));
  // What was restored is the same store, and goes on with its backup.
  expect((await tvixStore("backup", backup, "--data", join(base, "restored"))).status).toBe(0);
});

test("a folder with something else in it is not touched", async () => {
  const base = await temporaryDirectory();
  const data = join(base, "data");
  await makeTree(join(base, "tree"), 1);
  await tvixStore("import", join(base, "tree"), "--data", data);
  const refused = await tvixStore("backup", join(base, "tree"), "--data", data);
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("is no backup") });
  expect(await readdir(join(base, "tree"))).toHaveLength(3);
  await tvixStore("backup", join(base, "backup"), "--data", data);
  const over = await tvixStore("restore-backup", join(base, "backup"), "--data", data);
  expect(over).toMatchObject({ status: 1, stderr: expect.stringContaining("has something in it") });
  await rm(data, { recursive: true });
  for (const wrong of ["tree", "nothing"]) {
    const none = await tvixStore("restore-backup", join(base, wrong), "--data", data);
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining("is no backup") });
  }
});

test("stats counts what there is, here and through a daemon", { timeout: 60_000 }, async () => {
  const base = await temporaryDirectory();
  const data = join(base, "data");
  await makeTree(join(base, "tree"), 1);
  await tvixStore("import", join(base, "tree"), "--data", data);
  const here = await tvixStore("stats", "--json", "--compare", "3", "--data", data);
  const stats = JSON.parse(here.stdout);
  expect(stats).toMatchObject({ paths: 1, quarantined: 0, pins: 0, directories: 1, damaged: 0 });
  expect(stats.chunkBytes).toBe(403_010);
  expect(stats.narBytes).toBeGreaterThan(403_010);
  expect(stats.comparison).toMatchObject({ paths: 1, narBytes: stats.narBytes });
  expect(stats.comparison.xzBytes).toBeGreaterThan(400_000);
  const there = await tvixStore("stats", "--json", ...(await daemonOf(base, data)));
  const { files: _, comparison: __, ...counts } = stats;
  expect(JSON.parse(there.stdout)).toMatchObject(counts);
});
