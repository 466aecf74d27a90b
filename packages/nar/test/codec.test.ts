import { createHash } from "node:crypto";
import { type ByteSource, collect, rechunk } from "@tvix/byte-stream";
import { type NarEntry, NarLayout, narSize, readNar, writeListing, writeNar } from "@tvix/nar";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FIXTURES, file, text } from "./fixtures.ts";
import { anyTree, flatten } from "./trees.ts";

const render = async (entries: readonly NarEntry[]) => await collect(writeNar(entries), 1 << 24);

/** Pieces that are overwritten when the next one is asked for. */
async function* inReusedMemory(bytes: Uint8Array, length: number): AsyncIterable<Uint8Array> {
  const memory = new Uint8Array(length);
  for await (const piece of rechunk(bytes, length)) {
    memory.set(piece);
    yield memory.subarray(0, piece.length);
    memory.fill(0xee);
  }
}

/** Entries with the contents of files as bytes. */
async function readAll(source: ByteSource): Promise<NarEntry[]> {
  const entries: NarEntry[] = [];
  for await (const entry of readNar(source)) {
    entries.push(entry.type === "file" ? { ...entry, contents: await copied(entry.contents) } : entry);
  }
  return entries;
}

async function copied(contents: ByteSource): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of contents instanceof Uint8Array ? [contents] : contents)
    pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

describe.each(FIXTURES)("%s", (_, entries, size, sha256) => {
  test("is written as tvix and Nix write it", async () => {
    const nar = await render(entries);
    expect(nar).toHaveLength(size);
    expect(createHash("sha256").update(nar).digest("hex")).toBe(sha256);
    expect(await narSize(entries)).toBe(size);
  });

  test("comes back, however it is cut into pieces", async () => {
    const nar = await render(entries);
    for (const length of [1, 3, 8, 100, 1000]) expect(await readAll(rechunk(nar, length))).toEqual(entries);
  });
});

test("any tree comes back, and has the size and places that were computed", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree(), fc.integer({ min: 1, max: 300 }), async (tree, length) => {
      const entries = flatten(tree);
      const nar = await render(entries);
      expect(await narSize(entries)).toBe(nar.length);
      expect(await readAll(rechunk(nar, length))).toEqual(entries);
      const layout = new NarLayout();
      for (const entry of entries) {
        const { contents } = layout.place(entry);
        if (entry.type !== "file") continue;
        expect(nar.subarray(contents, contents + entry.size)).toEqual(entry.contents);
      }
    }),
    { numRuns: 200 },
  );
});

test("a tree comes back from a source that uses its memory again", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree(), fc.integer({ min: 1, max: 300 }), async (tree, length) => {
      const entries = flatten(tree);
      expect(await readAll(inReusedMemory(await render(entries), length))).toEqual(entries);
    }),
    { numRuns: 200 },
  );
});

test("contents are a stream where they are long, and skipped where they are not read", async () => {
  const long = new Uint8Array(300_000).fill(7);
  const entries: NarEntry[] = [
    { type: "directory", name: text("") },
    ...["a", "b", "c"].map(
      (name): NarEntry => ({
        type: "file",
        name: text(name),
        executable: false,
        size: long.length,
        contents: long,
      }),
    ),
    file("d", "short"),
    { type: "end" },
  ];
  const read: number[] = [];
  for await (const entry of readNar(rechunk(await render(entries), 10_000))) {
    if (entry.type !== "file") continue;
    if (entry.contents instanceof Uint8Array) {
      read.push(entry.contents.length);
      continue;
    }
    let length = 0;
    for await (const piece of entry.contents) {
      length += piece.length;
      if (read.length === 1) break;
    }
    read.push(length);
  }
  expect(read).toEqual([300_000, expect.any(Number), 300_000, 5]);
  expect(read[1]).toBeLessThan(20_000);
});

test("the writer takes long contents without a copy", async () => {
  const contents = new Uint8Array(1 << 20);
  const pieces = await Array.fromAsync(
    writeNar([{ type: "file", name: text(""), executable: false, size: contents.length, contents }]),
  );
  expect(pieces.some((piece) => piece.buffer === contents.buffer)).toBe(true);
});

test("a listing has the members and places that Nix writes", async () => {
  const complicated = FIXTURES.find(([name]) => name === "complicated")?.[1] ?? [];
  expect((await Array.fromAsync(writeListing(complicated))).join("")).toBe(
    '{"root":{"entries":{".keep":{"narOffset":232,"size":0,"type":"regular"},' +
      '"aa":{"target":"/nix/store/somewhereelse","type":"symlink"},' +
      '"keep":{"entries":{".keep":{"narOffset":760,"size":0,"type":"regular"}},"type":"directory"}},' +
      '"type":"directory"},"version":1}',
  );
  expect((await Array.fromAsync(writeListing([file("", "x", true)]))).join("")).toBe(
    '{"root":{"executable":true,"narOffset":128,"size":1,"type":"regular"},"version":1}',
  );
});
