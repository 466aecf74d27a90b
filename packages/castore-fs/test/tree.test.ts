import { execFileSync } from "node:child_process";
import { chmod, link, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  CastoreError,
  Directory,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  SymlinkTarget,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { ingest, restore } from "@tvix/castore-fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

const memoryServices = () => ({
  blobService: new MemoryBlobService(),
  directoryService: new MemoryDirectoryService(),
});

/** A tree with one of everything that is kept, and some that is not. */
async function sampleTree(): Promise<string> {
  const root = join(await temporaryDirectory(), "tree");
  await mkdir(join(root, "nested", "empty"), { recursive: true });
  await mkdir(join(root, "deep", ...Array(60).fill("d")), { recursive: true });
  await writeFile(join(root, "empty file"), "");
  await writeFile(join(root, "run me"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(root, "group may run"), "x", { mode: 0o655 });
  await chmod(join(root, "group may run"), 0o655);
  await writeFile(join(root, "nested", "large"), fixtures.pseudoRandomBytes(3_000_000));
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xc5, 0xc4, 0xd6])]), "not UTF-8");
  await symlink(Buffer.from([0xff, 0x2f, 0xfe]), join(root, "link"));
  await symlink("/etc/passwd", join(root, "absolute"));
  await symlink("../..", join(root, "nested", "up"));
  return root;
}

describe("ingest and restore", () => {
  test("bring back a tree as it was", async () => {
    const root = await sampleTree();
    const services = memoryServices();
    const progress: number[] = [];
    const node = await ingest(root, services, { onProgress: ({ entries }) => progress.push(entries) });
    const copy = `${root} copy`;
    await restore(node, copy, services);
    execFileSync("diff", ["-r", "--no-dereference", root, copy]);
    expect((await lstat(join(copy, "run me"))).mode & 0o777).toBe(0o755);
    expect((await lstat(join(copy, "group may run"))).mode & 0o777).toBe(0o644);
    expect((await lstat(join(copy, "empty file"))).mode & 0o777).toBe(0o644);
    expect(await readlink(join(copy, "link"), { encoding: "buffer" })).toEqual(
      Buffer.from([0xff, 0x2f, 0xfe]),
    );
    expect(await ingest(copy, memoryServices())).toEqual(node);
    expect(progress.at(-1)).toBe(progress.length);
  });

  test("give the digests of the fixtures", async () => {
    const root = join(await temporaryDirectory(), "tree");
    await mkdir(join(root, "keep"), { recursive: true });
    await writeFile(join(root, ".keep"), "");
    await writeFile(join(root, "keep", ".keep"), "");
    await symlink("/nix/store/somewhereelse", join(root, "aa"));
    const documented = await ingest(root, memoryServices(), { sizeConvention: "documented" });
    expect(documented).toMatchObject({ type: "directory", size: 4n });
    expect("digest" in documented && documented.digest.toHex()).toBe(
      fixtures.DIRECTORY_COMPLICATED.digest().toHex(),
    );
    // As the Rust stores do, which refuse the other way.
    const doubled = await ingest(root, memoryServices());
    expect(doubled).toMatchObject({ type: "directory", size: 8n });
    expect("digest" in doubled && doubled.digest.toHex()).toBe(
      "424a7f6ce08d805d15b428062faae96299a1675d708c3a39261afe38cdd04feb",
    );
  });

  test("read a file with several names once", async () => {
    const root = join(await temporaryDirectory(), "tree");
    await mkdir(join(root, "sub"), { recursive: true });
    for (const [name, length] of [
      ["short", 10],
      ["long", 300_000],
    ] as const) {
      await writeFile(join(root, name), fixtures.pseudoRandomBytes(length));
      await link(join(root, name), join(root, "sub", name));
      await link(join(root, name), join(root, "sub", `${name} too`));
    }
    const services = memoryServices();
    const puts: number[] = [];
    const blobService: BlobService = {
      has: (digest) => services.blobService.has(digest),
      chunks: (digest) => services.blobService.chunks(digest),
      read: (digest) => services.blobService.read(digest),
      put: async (source) => {
        const bytes = await collect(source, 1 << 20);
        puts.push(bytes.length);
        return await services.blobService.put(bytes);
      },
    };
    const node = await ingest(root, { ...services, blobService });
    expect(puts.sort((a, b) => a - b)).toEqual([10, 300_000]);
    await restore(node, `${root} copy`, services);
    execFileSync("diff", ["-r", root, `${root} copy`]);
  });

  test("work on a root that is a file or a link", async () => {
    const path = await temporaryDirectory();
    const services = memoryServices();
    await writeFile(join(path, "file"), "Hello World!", { mode: 0o755 });
    await symlink("nowhere", join(path, "link"));
    const file = await ingest(join(path, "file"), services);
    expect(file).toMatchObject({ type: "file", size: 12n, executable: true });
    const link = await ingest(join(path, "link"), services);
    expect(link.type).toBe("symlink");
    await restore(file, join(path, "file copy"), services);
    await restore(link, join(path, "link copy/"), services);
    expect(await readFile(join(path, "file copy"), "utf8")).toBe("Hello World!");
    expect(await readlink(join(path, "link copy"))).toBe("nowhere");
  });

  test("keep random trees", async () => {
    type Tree = Buffer | string | { [name: string]: Tree };
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        fc.stringMatching(/^[a-z./]{1,20}$/),
        fc.dictionary(fc.stringMatching(/^[a-zA-Z \n"\\é]{1,8}$/), tie("tree"), { maxKeys: 5 }),
      ),
    }));
    const write = async (path: string, value: Tree): Promise<void> => {
      if (Buffer.isBuffer(value)) await writeFile(path, value);
      else if (typeof value === "string") await symlink(value, path);
      else {
        await mkdir(path);
        for (const [name, child] of Object.entries(value)) await write(join(path, name), child);
      }
    };
    const base = await temporaryDirectory();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        const root = join(base, `${run++}`);
        await write(root, value);
        const services = memoryServices();
        const node = await ingest(root, services);
        await restore(node, `${root}-copy`, services);
        expect(await ingest(`${root}-copy`, memoryServices())).toEqual(node);
      }),
      { numRuns: 60 },
    );
  });
});

describe("ingest", () => {
  test("names the path of a socket and of a pipe", async () => {
    const path = await temporaryDirectory();
    await mkdir(join(path, "sub"));
    const server = createServer().listen(join(path, "sub", "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    await expect(ingest(path, memoryServices())).rejects.toMatchObject({
      code: "UNSUPPORTED_FILE_TYPE",
      message: `unsupported file type at ${join(path, "sub", "socket")}: socket`,
    });
    server.close();
    execFileSync("mkfifo", [join(path, "sub", "pipe")]);
    await expect(ingest(join(path, "sub"), memoryServices())).rejects.toMatchObject({
      message: expect.stringMatching(/pipe: named pipe/),
    });
  });

  test("names a path that is not there", async () => {
    const path = join(await temporaryDirectory(), "missing");
    await expect(ingest(path, memoryServices())).rejects.toMatchObject({
      code: "STORAGE_FAILURE",
      message: `cannot read ${path}: ENOENT`,
    });
  });

  test("notices a file that is written to meanwhile", async () => {
    const path = await temporaryDirectory();
    await writeFile(join(path, "growing"), fixtures.pseudoRandomBytes(1_000_000));
    const services = memoryServices();
    const put = services.blobService.put.bind(services.blobService);
    services.blobService.put = async (source, options) => {
      await writeFile(join(path, "growing"), "more", { flag: "a" });
      return await put(source, options);
    };
    await expect(ingest(path, services)).rejects.toMatchObject({
      code: "CHANGED_WHILE_READING",
      message: expect.stringContaining(join(path, "growing")),
    });
  });

  test("begins again when the connection is lost on which its directories go out", async () => {
    const tree = join(await temporaryDirectory(), "tree");
    await mkdir(join(tree, "folder"), { recursive: true });
    await writeFile(join(tree, "folder", "file"), "contents");
    const services = memoryServices();
    const lost = (times: number) => {
      const directoryService = new MemoryDirectoryService();
      const putMany = directoryService.putMany.bind(directoryService);
      let puts = 0;
      directoryService.putMany = async (directories, options) => {
        if (++puts > times) return await putMany(directories, options);
        for await (const _ of directories) throw new CastoreError("UNAVAILABLE", "the connection is lost");
        throw new Error("there are directories");
      };
      return { ...services, directoryService };
    };
    const expected = await ingest(tree, services);
    expect(await ingest(tree, lost(2))).toEqual(expected);
    await expect(ingest(tree, lost(3))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    // A file that was tried often enough is not tried as often again.
    let tries = 0;
    const blobService = new MemoryBlobService();
    blobService.put = async () => {
      tries++;
      throw new CastoreError("UNAVAILABLE", "out of reach");
    };
    await expect(ingest(tree, { ...services, blobService })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(tries).toBe(3);
  });

  test("ends with the reason when it is aborted", async () => {
    const root = await sampleTree();
    const reason = new Error("enough");
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort(reason) };
    await expect(ingest(root, memoryServices(), options)).rejects.toBe(reason);
  });
});

describe("restore", () => {
  test("refuses a destination where something stands, whatever it is", async () => {
    const services = memoryServices();
    const root = await sampleTree();
    const node = await ingest(root, services);
    const base = await temporaryDirectory();
    await writeFile(join(base, "file"), "precious");
    await mkdir(join(base, "directory"));
    await symlink("elsewhere", join(base, "dangling"));
    for (const name of ["file", "directory", "dangling"]) {
      await expect(restore(node, join(base, name), services)).rejects.toMatchObject({
        code: "ALREADY_EXISTS",
      });
    }
    expect(await readFile(join(base, "file"), "utf8")).toBe("precious");
    expect((await readdir(base)).sort()).toEqual(["dangling", "directory", "file"]);
  });

  test("replaces the destination as a whole when told, and never what a link points to", async () => {
    const services = memoryServices();
    const base = await temporaryDirectory();
    await mkdir(join(base, "outside"));
    await writeFile(join(base, "outside", "precious"), "precious");
    await mkdir(join(base, "source", "sub"), { recursive: true });
    await writeFile(join(base, "source", "sub", "precious"), "overwritten");
    const node = await ingest(join(base, "source"), services);

    await mkdir(join(base, "target"));
    await symlink("../outside", join(base, "target", "sub"));
    await writeFile(join(base, "target", "old"), "");
    await restore(node, join(base, "target"), services, { overwrite: true });
    expect(await readdir(join(base, "target"))).toEqual(["sub"]);

    await symlink("outside", join(base, "link"));
    await restore(node, join(base, "link"), services, { overwrite: true });
    expect((await lstat(join(base, "link"))).isDirectory()).toBe(true);
    expect(await readFile(join(base, "outside", "precious"), "utf8")).toBe("precious");
    expect((await readdir(base)).sort()).toEqual(["link", "outside", "source", "target"]);
  });

  test("fills the longest path and the longest name there are", async () => {
    const base = await temporaryDirectory();
    const tree = join(base, "tree");
    let deepest = tree;
    // PATH_MAX is 4096 with the NUL at the end.
    while (deepest.length + 256 < 4000) deepest = join(deepest, "d".repeat(255));
    await mkdir(deepest, { recursive: true });
    await writeFile(join(deepest, "f".repeat(4095 - deepest.length - 1)), "contents");
    const services = memoryServices();
    const node = await ingest(tree, services);
    await restore(node, join(base, "copy"), services);
    const link: Node = { type: "symlink", target: SymlinkTarget.from("elsewhere") };
    await restore(link, join(base, "l".repeat(255)), services);
    await restore(node, join(base, "copy"), services, { overwrite: true });
    expect(await ingest(join(base, "copy"), services)).toEqual(node);
    expect((await readdir(base)).sort()).toEqual(["copy", "l".repeat(255), "tree"]);
  });

  test("keeps what stands there when it cannot be replaced, and takes away only what is its own", async () => {
    const base = await temporaryDirectory();
    const services = memoryServices();
    const digest = B3Digest.of(new TextEncoder().encode("absent"));
    await writeFile(join(base, "kept"), "before");
    const absent = { type: "file" as const, digest, size: 6n, executable: false };
    await expect(restore(absent, join(base, "kept"), services, { overwrite: true })).rejects.toMatchObject({
      code: "INCOMPLETE",
    });
    expect(await readdir(base)).toEqual(["kept"]);
    expect(await readFile(join(base, "kept"), "utf8")).toBe("before");
  });

  test("leaves nothing behind when a blob or directory is missing or of another length", async () => {
    const services = memoryServices();
    const base = await temporaryDirectory();
    const present = await services.blobService.put(new TextEncoder().encode("Hello World!"));
    const file = (digest: B3Digest, size: bigint) => ({
      type: "file" as const,
      digest,
      size,
      executable: false,
    });
    const absent = B3Digest.of(Uint8Array.of(1, 2, 3));
    const cases: [Directory, string][] = [
      [fixtures.directoryOf({ a: file(present, 12n), b: file(absent, 3n) }), "INCOMPLETE"],
      [fixtures.directoryOf({ a: file(present, 12n), b: file(present, 13n) }), "CORRUPT"],
      [
        Directory.of([
          { name: PathComponent.from("d"), node: { type: "directory", digest: absent, size: 1n } },
        ]),
        "INCOMPLETE",
      ],
    ];
    for (const [directory, code] of cases) {
      services.directoryService.get = async (digest) =>
        digest.equals(directory.digest()) ? directory : undefined;
      const node = fixtures.directoryNode(directory);
      await expect(restore(node, join(base, "copy"), services)).rejects.toMatchObject({ code });
      expect(await readdir(base)).toEqual([]);
    }
  });
});
