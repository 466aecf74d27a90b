import { beforeAll, describe, expect, test } from "vitest";
import {
  B3Digest,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  SymlinkTarget,
  TreeFs,
} from "../src/index.ts";
import { directoryNode, directoryOf, pseudoRandomBytes } from "../src/testing/fixtures.ts";

const services = { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
const LARGE = pseudoRandomBytes(2_000_000, 11);
let tree: TreeFs;

async function file(contents: string | Uint8Array): Promise<Node> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return {
    type: "file",
    digest: await services.blobService.put(bytes),
    size: BigInt(bytes.length),
    executable: false,
  };
}

const link = (target: string): Node => ({ type: "symlink", target: SymlinkTarget.from(target) });

beforeAll(async () => {
  const inner = directoryOf({
    file: await file("inner"),
    up: link("../top"),
    over: link("../../x"),
    self: link("self"),
  });
  const root = directoryOf({
    top: await file("top"),
    large: await file(LARGE),
    inner: directoryNode(inner),
    "to inner": link("./inner/"),
    away: link("/etc/passwd"),
    lost: link("nowhere"),
    naïve: await file("ü"),
  });
  await services.directoryService.putMany([inner, root]);
  tree = new TreeFs(directoryNode(root), services);
});

describe("a tree as a file system", () => {
  test("reads files, through links, by any spelling of their paths", async () => {
    for (const path of [
      "inner/file",
      "/inner/file",
      "./inner//file",
      "to inner/file",
      "inner/../inner/./file",
      "../inner/file",
    ]) {
      expect(await tree.readFile(path, "utf8")).toBe("inner");
    }
    expect(await tree.readFile("inner/up", "utf8")).toBe("top");
    expect(await tree.readFile(new TextEncoder().encode("naïve"), "utf8")).toBe("ü");
    expect(await tree.readFile("large")).toEqual(LARGE);
    expect(await tree.realpath("to inner/../to inner/up")).toBe("top");
    expect(await tree.realpath("/")).toBe("");
  });

  test("tells what is at a path", async () => {
    expect(await tree.stat("")).toBe(tree.root);
    expect(await tree.stat("to inner")).toMatchObject({ type: "directory" });
    expect(await tree.lstat("to inner")).toMatchObject({ type: "symlink" });
    expect(await tree.stat("top")).toMatchObject({ type: "file", size: 3n });
    expect(await tree.readlink("lost")).toBe("nowhere");
    expect((await tree.readdir("to inner")).map(({ name }) => `${name}`)).toEqual([
      "file",
      "over",
      "self",
      "up",
    ]);
    expect(await Promise.all(["top", "lost", "nope", "top/x"].map((path) => tree.exists(path)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test.each([
    ["nope", "ENOENT"],
    ["lost", "ENOENT"],
    ["away", "ENOENT"],
    ["inner/over", "ENOENT"],
    ["top/x", "ENOTDIR"],
    ["top/", "ENOTDIR"],
    ["inner/self", "ELOOP"],
    ["inner", "EISDIR"],
    ["a\0b", "EINVAL"],
    ["x".repeat(256), "EINVAL"],
  ])("%j fails as in node:fs, with %s", async (path, code) => {
    await expect(tree.readFile(path)).rejects.toMatchObject({ code, path });
  });

  test("a file that is longer than one would have it is not read", async () => {
    await expect(tree.readFile("large", { maxBytes: 1000 })).rejects.toMatchObject({ code: "EFBIG" });
  });

  test("streams a file or a part of it, and ends where the reader leaves", async () => {
    const bytes = async (stream: ReadableStream<Uint8Array>) =>
      new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
    expect(await bytes(tree.createReadStream("large"))).toEqual(LARGE);
    expect(await bytes(tree.createReadStream("large", { start: 1_000_000, end: 1_000_009 }))).toEqual(
      LARGE.slice(1_000_000, 1_000_010),
    );
    expect(await bytes(tree.createReadStream("large", { start: 5_000_000 }))).toEqual(new Uint8Array(0));
    await expect(bytes(tree.createReadStream("nope"))).rejects.toMatchObject({ code: "ENOENT" });
    const reader = tree.createReadStream("large").getReader();
    await reader.read();
    await reader.cancel();
  });

  test("what is missing from the store is no missing file", async () => {
    const broken = new TreeFs(tree.root, { ...services, blobService: { read: async () => undefined } });
    await expect(broken.readFile("top")).rejects.toMatchObject({ code: "INCOMPLETE" });
    const none = new TreeFs(
      { type: "directory", digest: B3Digest.of(new Uint8Array(1)), size: 0n },
      services,
    );
    await expect(none.exists("x")).rejects.toMatchObject({ code: "INCOMPLETE" });
  });
});
