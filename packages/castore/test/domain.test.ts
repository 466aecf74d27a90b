import {
  B3Digest,
  CastorePath,
  Directory,
  type DirectoryMessage,
  descendTo,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  parseDirectory,
  SymlinkTarget,
} from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const U64_MAX = 2n ** 64n - 1n;
const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const DIGEST = new Uint8Array(32);

/** A message with some lists given. */
const message = (lists: Partial<DirectoryMessage>): DirectoryMessage => ({
  directories: [],
  files: [],
  symlinks: [],
  ...lists,
});
const directory = (name: string, size = 0n, digest = DIGEST) => ({ name: bytes(name), digest, size });
const file = (name: string, digest = DIGEST) => ({ name: bytes(name), digest, size: 42n, executable: false });
const symlink = (name: string, target = "t") => ({ name: bytes(name), target: bytes(target) });

const anyName = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter((name) => !name.includes(0) && !name.includes(0x2f))
  .filter((name) => !["46", "46,46"].includes(name.join()));
const anyNode: fc.Arbitrary<Node> = fc.oneof(
  fc.record({
    type: fc.constant("directory" as const),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((digest) => B3Digest.from(digest)),
    size: fc.bigInt(0n, 2n ** 50n),
  }),
  fc.record({
    type: fc.constant("file" as const),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((digest) => B3Digest.from(digest)),
    size: fc.bigInt(0n, U64_MAX),
    executable: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("symlink" as const),
    target: fc
      .uint8Array({ minLength: 1, maxLength: 4095 })
      .filter((target) => !target.includes(0))
      .map((target) => SymlinkTarget.from(target)),
  }),
);

describe("a Directory message", () => {
  test.each([
    ["empty", message({})],
    ["one of each", message({ directories: [directory("d")], files: [file("f")], symlinks: [symlink("l")] })],
    [
      "order is per list only",
      message({ directories: [directory("b"), directory("c")], symlinks: [symlink("a")] }),
    ],
    ["a directory as large as can be", message({ directories: [directory("d", U64_MAX - 1n)] })],
    ["odd names", message({ files: [file("\n"), file(" "), file("C:\\a"), file("\xff\xfe")] })],
  ])("is accepted: %s", (_, given) => {
    expect(parseDirectory(given).entries).toHaveLength(
      given.directories.length + given.files.length + given.symlinks.length,
    );
  });

  test.each([
    [
      "unsorted",
      message({ directories: [directory("b"), directory("a")] }),
      "INVALID_ORDER",
      /directories\[1\]\.name: "a" is not sorted/,
    ],
    ["unsorted files", message({ files: [file("b"), file("a")] }), "INVALID_ORDER", /files\[1\]\.name: "a"/],
    [
      "unsorted links",
      message({ symlinks: [symlink("b"), symlink("a")] }),
      "INVALID_ORDER",
      /symlinks\[1\]\.name: "a"/,
    ],
    [
      "a name twice",
      message({ directories: [directory("a"), directory("a")] }),
      "DUPLICATE_NAME",
      /"a" is a duplicate name/,
    ],
    [
      "a name in two lists",
      message({ directories: [directory("a")], symlinks: [symlink("a")] }),
      "DUPLICATE_NAME",
      /"a" is a duplicate name/,
    ],
    ["an empty name", message({ files: [file("")] }), "INVALID_NAME", /files\[0\]\.name: "" cannot be empty/],
    ["the name .", message({ files: [file(".")] }), "INVALID_NAME", /cannot be '\.'/],
    ["the name ..", message({ files: [file("..")] }), "INVALID_NAME", /cannot be '\.\.'/],
    [
      "a name with NUL",
      message({ files: [file("\0")] }),
      "INVALID_NAME",
      /"\\x00" cannot contain null bytes/,
    ],
    ["a name with a slash", message({ files: [file("foo/bar")] }), "INVALID_NAME", /cannot contain slashes/],
    [
      "a name that is too long",
      message({ files: [file("X".repeat(256))] }),
      "INVALID_NAME",
      /over 255 bytes/,
    ],
    [
      "a short digest",
      message({ files: [file("a", DIGEST.subarray(0, 2))] }),
      "INVALID_NODE",
      /files\[0\]\.digest: invalid digest length: 2/,
    ],
    [
      "a short digest of a directory",
      message({ directories: [directory("a", 0n, DIGEST.subarray(1))] }),
      "INVALID_NODE",
      /directories\[0\]\.digest: invalid digest length: 31/,
    ],
    [
      "an empty target",
      message({ symlinks: [symlink("a", "")] }),
      "INVALID_NODE",
      /symlinks\[0\]\.target: "" cannot be empty/,
    ],
    ["a target with NUL", message({ symlinks: [symlink("a", "x\0y")] }), "INVALID_NODE", /null bytes/],
    [
      "a target that is too long",
      message({ symlinks: [symlink("a", "x".repeat(4096))] }),
      "INVALID_NODE",
      /over 4095 bytes/,
    ],
    ["too large a size", message({ directories: [directory("a", U64_MAX)] }), "SIZE_OVERFLOW", /64 bits/],
    [
      "too large a sum",
      message({ directories: [directory("a", U64_MAX / 2n), directory("b", U64_MAX / 2n)] }),
      "SIZE_OVERFLOW",
      /64 bits/,
    ],
    [
      "order before everything else",
      message({ files: [file("b", DIGEST.subarray(1)), file("a")] }),
      "INVALID_ORDER",
      /files\[1\]/,
    ],
    [
      "the digest before the name",
      message({ files: [file("a/b", DIGEST.subarray(1))] }),
      "INVALID_NODE",
      /digest/,
    ],
  ])("is refused: %s", (_, given, code, text) => {
    expect(() => parseDirectory(given)).toThrow(
      expect.objectContaining({ name: "CastoreError", code, message: expect.stringMatching(text) }),
    );
  });

  test("comes back from any valid directory", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ name: anyName, node: anyNode }), {
          selector: ({ name }) => name.join(),
          maxLength: 8,
        }),
        (entries) => {
          const made = Directory.of(
            entries.map(({ name, node }) => ({ name: PathComponent.from(name), node })),
          );
          const names = made.entries.map(({ name }) => Buffer.from(name.bytes));
          expect(names).toEqual([...names].sort(Buffer.compare));
          for (const { name, node } of entries) expect(made.get(PathComponent.from(name))).toEqual(node);
          const lists: DirectoryMessage = message({});
          for (const { name, node } of made.entries) {
            if (node.type === "directory")
              lists.directories.push({ name: name.bytes, digest: node.digest.bytes, size: node.size });
            else if (node.type === "file")
              lists.files.push({
                name: name.bytes,
                digest: node.digest.bytes,
                size: node.size,
                executable: node.executable,
              });
            else lists.symlinks.push({ name: name.bytes, target: node.target.bytes });
          }
          expect(parseDirectory(lists).digest().toHex()).toBe(made.digest().toHex());
        },
      ),
    );
  });
});

describe("a castore path", () => {
  test.each([
    ["", 0],
    ["a", 1],
    ["a/b", 2],
    ["a/b/c", 3],
    ["C:\\a/b", 2],
    ["\\\\snix-store", 1],
  ])("parses strictly: %j", (text, components) => {
    const path = CastorePath.parse(text);
    expect(path.components).toHaveLength(components);
    expect(`${path}`).toBe(text);
  });

  test.each([
    "/a/b",
    "//a/b",
    "a/b//c/d",
    "a/b/",
    ".",
    "..",
    "./a",
    "../a",
    "a/./b",
    "a/../b",
    "a/b/.",
    "a/b/..",
    "fo\0o",
  ])("refuses %j", (text) => {
    expect(() => CastorePath.parse(text)).toThrow(expect.objectContaining({ code: "INVALID_PATH" }));
  });

  test.each([
    ["", false, ""],
    ["a//b", false, "a/b"],
    ["a/./b", false, "a/b"],
    [".", false, ""],
    ["./a/b", false, "a/b"],
    ["a/b/", false, "a/b"],
    ["a/..", true, ""],
    ["a/../b", true, "b"],
    ["C:\\foo.txt", false, "C:\\foo.txt"],
    ["/", false, undefined],
    ["..", false, undefined],
    ["..", true, undefined],
    ["a/..", false, undefined],
    ["foo/bar\0", false, undefined],
  ])("reads the host's %j (.. resolved: %j) as %j", (text, resolveParents, expected) => {
    if (expected === undefined) {
      expect(() => CastorePath.fromHostPath(text, { resolveParents })).toThrow(
        expect.objectContaining({ code: "INVALID_PATH" }),
      );
    } else {
      expect(`${CastorePath.fromHostPath(text, { resolveParents })}`).toBe(expected);
    }
  });

  test("knows parent and name", () => {
    expect(`${CastorePath.parse("foo/bar/baz").parent}`).toBe("foo/bar");
    expect(`${CastorePath.parse("foo").parent}`).toBe("");
    expect(CastorePath.ROOT.parent).toBeUndefined();
    expect(`${CastorePath.parse("foo/bar").name}`).toBe("bar");
  });
});

test("descendTo finds what is there and follows no links", async () => {
  const service = new MemoryDirectoryService();
  await service.putMany([fixtures.DIRECTORY_WITH_KEEP, fixtures.DIRECTORY_COMPLICATED]);
  const root = fixtures.directoryNode(fixtures.DIRECTORY_COMPLICATED);
  const find = async (path: string) => (await descendTo(service, root, CastorePath.parse(path)))?.type;
  expect(await find("")).toBe("directory");
  expect(await find("keep")).toBe("directory");
  expect(await find("keep/.keep")).toBe("file");
  expect(await find("aa")).toBe("symlink");
  for (const path of ["void", "v/oid", "keep/.keep/foo", "aa/x"]) expect(await find(path)).toBeUndefined();
  const lost = fixtures.directoryNode(fixtures.directoryOf({ lost: fixtures.EMPTY_FILE }));
  await expect(descendTo(service, lost, CastorePath.parse("x"))).rejects.toMatchObject({
    code: "INCOMPLETE",
  });
});
