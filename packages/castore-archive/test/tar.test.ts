import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest, type Node, PathComponent } from "@tvix/castore";
import { ingest, restore } from "@tvix/castore-fs";
import { pack } from "tar-stream";
import { expect, onTestFinished, test } from "vitest";
import { ingestTar, writeTar } from "../src/index.ts";
import { emptyStore, noPython, pipeTo, run } from "./tools.ts";

if (noPython !== undefined) console.warn(`skipped: ${noPython}`);

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "castore-archive-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A tree with everything that trees have; names need a pax header where they are long. */
async function sampleTree(): Promise<string> {
  const root = join(await folder(), "tree");
  await mkdir(join(root, "empty"), { recursive: true });
  await mkdir(join(root, "deep", "x".repeat(200), "y".repeat(200)), { recursive: true });
  await writeFile(join(root, "deep", "x".repeat(200), "y".repeat(200), "z"), "deep");
  await writeFile(join(root, "run"), "#!/bin/sh\n");
  await chmod(join(root, "run"), 0o755);
  await writeFile(join(root, "naïve – 名"), "names are UTF-8 here");
  await writeFile(join(root, "none"), "");
  await writeFile(join(root, "large"), Buffer.alloc(3 << 20, "0123456789abcdef-"));
  await symlink("run", join(root, "link"));
  await symlink(`/${"t".repeat(300)}`, join(root, "long link"));
  return root;
}

test("a tree goes through a tar archive and GNU tar, both ways, and is the same", async () => {
  const tree = await sampleTree();
  const services = emptyStore();
  const root = await ingest(tree, services);
  const unpacked = await folder();
  await pipeTo(
    "tar",
    ["-x", "-C", unpacked, "--strip-components=1"],
    writeTar(root, services, { rootName: "a" }),
  );
  expect(await ingest(unpacked, services)).toEqual(root);
  for (const format of ["gnu", "pax", "ustar", "oldgnu"]) {
    const args = ["-c", "--format", format, "-C", tree, "."];
    if (format === "ustar") args.unshift("--exclude=deep", "--exclude=long link", "--exclude=na*");
    const archive = await run("tar", args);
    const again = emptyStore();
    const found = await ingestTar(archive, again);
    if (format !== "ustar") expect(found).toEqual(root);
    const restored = join(await folder(), "restored");
    await restore(found, restored, again);
    expect(await ingest(restored, services)).toEqual(found);
  }
});

test("the same tree is the same archive, whoever asks", async () => {
  const services = emptyStore();
  const root = await ingest(await sampleTree(), services);
  const [one, two] = await Promise.all([
    collect(writeTar(root, services), 1 << 26),
    collect(writeTar(root, services), 1 << 26),
  ]);
  expect(B3Digest.of(one as Uint8Array)).toEqual(B3Digest.of(two as Uint8Array));
  expect(await ingestTar(one, services)).toEqual(root);
});

test("a file alone needs a name", async () => {
  const services = emptyStore();
  const digest = await services.blobService.put(Buffer.from("x"));
  const node: Node = { type: "file", digest, size: 1n, executable: true };
  await expect(collect(writeTar(node, services), 1 << 20)).rejects.toThrow(
    "a file needs a name in an archive",
  );
  const archive = await collect(writeTar(node, services, { rootName: "x" }), 1 << 20);
  const root = await ingestTar(archive, services);
  const directory = root.type === "directory" ? await services.directoryService.get(root.digest) : undefined;
  expect(directory?.get(PathComponent.from("x"))).toEqual(node);
});

test("names that are not UTF-8 come out of an archive, and do not go into one", async () => {
  const at = await folder();
  await writeFile(Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff, 0x61])]), "bytes");
  const services = emptyStore();
  const root = await ingestTar(await run("tar", ["-c", "-C", at, "."]), services);
  expect(root).toEqual(await ingest(at, services));
  const failure = await collect(writeTar(root, services), 1 << 20).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "INVALID_NAME" });
});

/** An archive of entries that no good program writes. */
async function archiveOf(
  ...entries: (Parameters<ReturnType<typeof pack>["entry"]>[0] & { text?: string })[]
) {
  const archive = pack();
  for (const { text, ...header } of entries) archive.entry(header as never, text ?? "");
  archive.finalize();
  return await collect(archive as AsyncIterable<Uint8Array>, 1 << 20);
}

test("of two entries with one path the last one counts, also where one is a directory", async () => {
  const services = emptyStore();
  const archive = await archiveOf(
    { name: "a", text: "1" },
    { name: "b/c", text: "2" },
    { name: "a", text: "3" },
    { name: "b", text: "4" },
    { name: "h", type: "link", linkname: "a" },
  );
  const expected = await archiveOf(
    { name: "a", text: "3" },
    { name: "b", text: "4" },
    { name: "h", text: "3" },
  );
  expect(await ingestTar(archive, services)).toEqual(await ingestTar(expected, services));
});

test.each([
  ["a path that goes up", { name: "../x" }, "INVALID_PATH"],
  ["an absolute path", { name: "/x" }, "INVALID_PATH"],
  ["a device", { name: "x", type: "character-device" as const }, "UNSUPPORTED_FILE_TYPE"],
  ["a pipe", { name: "x", type: "fifo" as const }, "UNSUPPORTED_FILE_TYPE"],
  ["a hard link to nothing", { name: "x", type: "link" as const, linkname: "y" }, "INVALID_NODE"],
])("%s is refused, and no directory is stored", async (_, entry, code) => {
  const services = emptyStore();
  let stored = 0;
  const directoryService = { putMany: async () => void stored++ as never };
  const failure = await ingestTar(await archiveOf(entry), { ...services, directoryService }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ code });
  expect(stored).toBe(0);
});

test("a sparse file, of which an archive has the pieces, is refused", async () => {
  const at = await folder();
  await writeFile(join(at, "f"), "");
  await truncate(join(at, "f"), 1 << 20);
  const sparse = await run("tar", ["-c", "-S", "--format=posix", "-C", at, "f"]);
  await expect(ingestTar(sparse, emptyStore())).rejects.toMatchObject({ code: "UNSUPPORTED_FILE_TYPE" });
});

test.skipIf(noPython !== undefined)(
  "a name that the parser has lost is not stored as another one",
  async () => {
    const script =
      "import io,sys,tarfile\nout=io.BytesIO()\nt=tarfile.open(fileobj=out,mode='w',format=tarfile.PAX_FORMAT,errors='surrogateescape')\n" +
      "i=tarfile.TarInfo(b'b\\xff'.decode('utf8','surrogateescape')+'x'*120)\nt.addfile(i)\nt.close()\nsys.stdout.buffer.write(out.getvalue())";
    const binary = await run("python3", ["-c", script]);
    await expect(ingestTar(binary, emptyStore())).rejects.toMatchObject({ code: "INVALID_NODE" });
  },
);

test("what is no archive, or a part of one, says so", async () => {
  const whole = await archiveOf({ name: "a", text: "x".repeat(2000) }, { name: "b", text: "y" });
  for (const bytes of [
    new Uint8Array(0),
    Buffer.alloc(2000, "no archive"),
    whole.subarray(0, 1500),
    whole.subarray(0, 700),
  ]) {
    const failure = await ingestTar(bytes, emptyStore()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "INVALID_NODE" });
  }
});

test("a failure of the source, or of the store, is what ingesting fails with", async () => {
  const whole = await archiveOf({ name: "a", text: "x".repeat(2000) });
  async function* broken() {
    yield whole.subarray(0, 700);
    throw new Error("the line is cut");
  }
  await expect(ingestTar(broken(), emptyStore())).rejects.toThrow("the line is cut");
  const blobService = { put: async () => await Promise.reject(new Error("the disk is full")) };
  await expect(ingestTar(whole, { ...emptyStore(), blobService })).rejects.toThrow("the disk is full");
});

test("reading ends where the reader leaves, and a missing blob fails the archive", async () => {
  const services = emptyStore();
  const root = await ingest(await sampleTree(), services);
  for await (const _ of writeTar(root, services)) break;
  const missing = { ...services, blobService: { read: async () => undefined } };
  await expect(collect(writeTar(root, missing), 1 << 26)).rejects.toMatchObject({ code: "INCOMPLETE" });
});
