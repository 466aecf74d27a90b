import { collect, rechunk } from "@tvix/byte-stream";
import { NAR_MAX_DEPTH, NarError, readNar, writeNar } from "@tvix/nar";
import { describe, expect, test } from "vitest";
import { directory, FIXTURES, file, symlink, text } from "./fixtures.ts";
import { directoryOf, FILE, MAGIC, nar, nested, raw, rawLength } from "./raw.ts";

/** What the reader says of some bytes: `ok`, or the code of its error. */
async function verdict(bytes: Uint8Array): Promise<string> {
  try {
    for await (const entry of readNar(rechunk(bytes, 7))) {
      if (entry.type === "file") await collect(entry.contents, 1 << 24);
    }
    return "ok";
  } catch (error) {
    if (!NarError.is(error)) throw error;
    expect(error.message).toMatch(/byte|level/);
    return error.code;
  }
}

const INVALID: readonly (readonly [string, Uint8Array])[] = [
  ["another magic", nar("nix-archive-2", ...FILE)],
  ["padding of the magic that is not zero", nar(raw(MAGIC, 1), ...FILE)],
  ["an unknown type", nar(MAGIC, "(", "type", "fifo", ")")],
  ["a type that is no keyword", nar(MAGIC, "(", "type", raw("x".repeat(33)), ")")],
  ["a file with a target", nar(MAGIC, "(", "type", "regular", "target", "x", ")")],
  ["a file without contents", nar(MAGIC, "(", "type", "regular", ")")],
  ["a link without a target", nar(MAGIC, "(", "type", "symlink", ")")],
  [
    "an executable marker with a value",
    nar(MAGIC, "(", "type", "regular", "executable", "x", "contents", "", ")"),
  ],
  [
    "an executable marker behind the contents",
    nar(MAGIC, "(", "type", "regular", "contents", "", "executable", "", ")"),
  ],
  [
    "two executable markers",
    nar(MAGIC, "(", "type", "regular", "executable", "", "executable", "", "contents", "", ")"),
  ],
  ["an executable link", nar(MAGIC, "(", "type", "symlink", "executable", "", "target", "x", ")")],
  [
    "contents with padding that is not zero",
    nar(MAGIC, "(", "type", "regular", "contents", raw("x", 1), ")"),
  ],
  [
    "a name with padding that is not zero",
    nar(MAGIC, "(", "type", "directory", "entry", "(", "name", raw("x", 1), "node", ...FILE, ")", ")"),
  ],
  ["a target with padding that is not zero", nar(MAGIC, "(", "type", "symlink", "target", raw("x", 1), ")")],
  ["an empty name", directoryOf("")],
  ["the name .", directoryOf(".")],
  ["the name ..", directoryOf("..")],
  ["a name with a slash", directoryOf("a/b")],
  ["a name with a null byte", directoryOf("a\0b")],
  ["a name twice", directoryOf("a", "a")],
  ["names in the wrong order", directoryOf("b", "a")],
  ["a name before its own beginning", directoryOf("foo-a", "foo")],
  ["an entry without a node", nar(MAGIC, "(", "type", "directory", "entry", "(", "name", "x", ")", ")")],
  [
    "a node before its name",
    nar(MAGIC, "(", "type", "directory", "entry", "(", "node", ...FILE, "name", "x", ")", ")"),
  ],
  ["an empty target", nar(MAGIC, "(", "type", "symlink", "target", "", ")")],
  ["a target with a null byte", nar(MAGIC, "(", "type", "symlink", "target", "a\0b", ")")],
  ["a file in a file", nar(MAGIC, "(", "type", "regular", "contents", "x", "entry", ")")],
  ["something behind the archive", nar(MAGIC, ...FILE, "x")],
  ["a null byte behind the archive", nar(MAGIC, ...FILE, new Uint8Array(1))],
  ["two roots", nar(MAGIC, ...FILE, ...FILE)],
];

describe("the reader refuses", () => {
  test.each(INVALID)("%s", async (_, bytes) => {
    expect(await verdict(bytes)).toBe("INVALID_NAR");
  });

  test.each([
    ["no bytes", new Uint8Array(0)],
    ["nothing but the magic", nar(MAGIC)],
    [
      "a file that is longer than the NAR",
      nar(MAGIC, "(", "type", "regular", "contents", rawLength(1000n), "x"),
    ],
    ["no closing parenthesis", nar(MAGIC, ...FILE.slice(0, -1))],
  ])("as cut off: %s", async (_, bytes) => {
    expect(await verdict(bytes)).toBe("TRUNCATED_NAR");
  });

  test.each([
    ["a name of 256 bytes", directoryOf("n".repeat(256))],
    [
      "a name of 2^63 bytes",
      nar(MAGIC, "(", "type", "directory", "entry", "(", "name", rawLength(1n << 63n)),
    ],
    [
      "a name of 2^53 + 1 bytes",
      nar(MAGIC, "(", "type", "directory", "entry", "(", "name", rawLength(2n ** 53n + 1n)),
    ],
    ["a target of 4096 bytes", nar(MAGIC, "(", "type", "symlink", "target", "t".repeat(4096), ")")],
    ["a file of 2^64 - 1 bytes", nar(MAGIC, "(", "type", "regular", "contents", rawLength(2n ** 64n - 1n))],
    ["65 levels", nested(65)],
  ])("as beyond a limit: %s", async (_, bytes) => {
    expect(await verdict(bytes)).toBe("LIMIT_EXCEEDED");
  });

  test("a NAR cut off at any byte", async () => {
    for (const [, entries] of FIXTURES) {
      const whole = await collect(writeNar(entries), 1 << 20);
      for (let length = 0; length < whole.length; length++) {
        expect(await verdict(whole.subarray(0, length))).toBe("TRUNCATED_NAR");
      }
    }
  });

  test("any number of levels, without a deep stack", async () => {
    expect(await verdict(nested(1_000_000))).toBe("LIMIT_EXCEEDED");
    let depth = 0;
    const options = { maxDepth: Number.POSITIVE_INFINITY };
    for await (const { type } of readNar(nested(100_000), options)) if (type === "directory") depth++;
    expect(depth).toBe(100_000);
  });
});

describe("the reader takes", () => {
  test.each([
    ["a name of 255 bytes", directoryOf("n".repeat(255))],
    ["names that are keywords", directoryOf(")", "entry", "node")],
    ["names that are not UTF-8", directoryOf(Uint8Array.of(0xc5, 0xc4), Uint8Array.of(0xff))],
    ["names that differ in case only", directoryOf("A", "a")],
    ["names of which one begins like the other", directoryOf("foo", "foo-a", "foob")],
    ["a target of 4095 bytes", nar(MAGIC, "(", "type", "symlink", "target", "t".repeat(4095), ")")],
    [
      "a target that is not UTF-8",
      nar(MAGIC, "(", "type", "symlink", "target", raw(Uint8Array.of(0xff)), ")"),
    ],
    ["64 levels", nested(NAR_MAX_DEPTH)],
  ])("%s", async (_, bytes) => {
    expect(await verdict(bytes)).toBe("ok");
  });

  test("what comes behind the archive, where it is told to leave it", async () => {
    const types = [];
    for await (const { type } of readNar(nar(MAGIC, ...FILE, "x"), { trailing: "anything" }))
      types.push(type);
    expect(types).toEqual(["file"]);
  });
});

describe("the writer refuses", () => {
  const long = (length: number) => "x".repeat(length);

  test.each([
    ["nothing", []],
    ["a root with a name", [file("root", "x")]],
    ["a second root", [file("", "x"), file("", "x")]],
    ["an end without a beginning", [{ type: "end" as const }]],
    ["a directory without an end", directory("").slice(0, -1)],
    ["an empty name", directory("", file("", "x"))],
    ["a name with a slash", directory("", file("a/b", "x"))],
    ["the name ..", directory("", file("..", "x"))],
    ["names in the wrong order", directory("", file("b", ""), file("a", ""))],
    ["a name twice", directory("", file("a", ""), symlink("a", "x"))],
    ["a name that is too long", directory("", file(long(256), ""))],
    ["a target that is too long", [symlink("", long(4096))]],
    ["an empty target", [symlink("", "")]],
    ["contents that are too short", [{ ...file("", "x"), size: 2 }]],
    ["contents that are too long", [{ ...file("", "xyz"), size: 2 }]],
    ["a size that is no length", [{ ...file("", "x"), size: -1 }]],
  ])("%s", async (_, entries) => {
    await expect(collect(writeNar(entries as never), 1 << 20)).rejects.toMatchObject({
      code: "INVALID_ENTRY",
    });
  });

  test("more than 64 levels", async () => {
    const levels = (depth: number) => [
      ...Array.from({ length: depth }, (_, index) => ({
        type: "directory" as const,
        name: text(index === 0 ? "" : "d"),
      })),
      ...Array(depth).fill({ type: "end" }),
    ];
    await collect(writeNar(levels(64)), 1 << 20);
    await expect(collect(writeNar(levels(65)), 1 << 20)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  });
});
