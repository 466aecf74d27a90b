import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { Directory, PathComponent } from "@tvix/castore";
import { ingest } from "@tvix/castore-fs";
import { expect, onTestFinished, test } from "vitest";
import { checkArchivable, writeZip } from "../src/index.ts";
import { emptyStore, noPython, run } from "./tools.ts";

if (noPython !== undefined) console.warn(`skipped: ${noPython}`);

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "castore-archive-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

test.skipIf(noPython !== undefined)("a tree in a zip archive is what Python takes out of it", async () => {
  const tree = await folder();
  await mkdir(join(tree, "empty"));
  for (let index = 0; index < 100; index++) await writeFile(join(tree, `f${index}`), `contents of ${index}`);
  await writeFile(join(tree, "run"), "#!/bin/sh\n");
  await chmod(join(tree, "run"), 0o755);
  await writeFile(join(tree, "large"), Buffer.alloc(3 << 20, "0123456789abcdef-"));
  await symlink("run", join(tree, "link"));
  await writeFile(join(tree, "back\\slash"), "a name as it is");
  const services = emptyStore();
  const root = await ingest(tree, services);
  const at = await folder();
  await writeFile(join(at, "a.zip"), await collect(writeZip(root, services, { rootName: "tree" }), 1 << 26));
  const script = `
import os, stat, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for item in archive.infolist():
    mode = item.external_attr >> 16
    target = os.path.join(sys.argv[2], item.filename)
    if stat.S_ISLNK(mode):
        os.symlink(archive.read(item), target)
    else:
        archive.extract(item, sys.argv[2])
        os.chmod(target, stat.S_IMODE(mode))
`;
  await run("python3", ["-c", script, join(at, "a.zip"), at]);
  expect(await ingest(join(at, "tree"), services)).toEqual(root);
  expect(await readlink(join(at, "tree", "link"))).toBe("run");
  expect((await stat(join(at, "tree", "run"))).mode & 0o777).toBe(0o755);
  expect((await readFile(join(at, "a.zip"))).length).toBeLessThan(1 << 20);
});

test("a missing blob or directory fails the archive; the latter is told beforehand", async () => {
  const tree = await folder();
  await mkdir(join(tree, "d"));
  await writeFile(join(tree, "d", "f"), "x");
  const services = emptyStore();
  const root = await ingest(tree, services);
  const noBlobs = { ...services, blobService: { read: async () => undefined } };
  await expect(collect(writeZip(root, noBlobs), 1 << 26)).rejects.toMatchObject({ code: "INCOMPLETE" });
  await checkArchivable(root, noBlobs);
  const noDirectories = { ...services, directoryService: { get: async () => undefined } };
  await expect(checkArchivable(root, noDirectories)).rejects.toMatchObject({ code: "INCOMPLETE" });
});

test("reading ends where the reader leaves", async () => {
  const tree = await folder();
  await writeFile(join(tree, "large"), Buffer.alloc(8 << 20, 7));
  const services = emptyStore();
  const root = await ingest(tree, services);
  for await (const _ of writeZip(root, services)) break;
});

test("a tree that is larger than what is stored of it is counted quickly, and refused", async () => {
  const services = emptyStore();
  const digest = await services.blobService.put(new Uint8Array(1));
  let directory = Directory.of([
    { name: PathComponent.from("f"), node: { type: "file", digest, size: 1n, executable: false } },
  ]);
  const directories = [directory];
  for (let depth = 0; depth < 50; depth++) {
    const node = { type: "directory", digest: directory.digest(), size: directory.size("doubled") } as const;
    directory = Directory.of(["a", "b"].map((name) => ({ name: PathComponent.from(name), node })));
    directories.push(directory);
  }
  await services.directoryService.putMany(directories);
  const root = { type: "directory", digest: directory.digest(), size: directory.size("doubled") } as const;
  await expect(checkArchivable(root, services)).rejects.toMatchObject({ code: "TOO_LARGE" });
  // Whoever takes it nevertheless lets others have their turns.
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  let length = 0;
  for await (const piece of writeZip(root, services)) {
    length += piece.length;
    if (length > 200_000) break;
  }
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});
