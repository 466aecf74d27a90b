import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { makeDirectory } from "@tvix/castore-fs";
import { openStore } from "@tvix/castore-packs";
import { ClassicLevel } from "classic-level";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** Short enough to be one chunk each, too long for the index. */
const BLOBS = Array.from({ length: 50 }, (_, seed) => fixtures.pseudoRandomBytes(20_000, seed + 1));

async function filled(): Promise<string> {
  const path = await temporaryDirectory();
  await using store = await openStore(path, { sync: false });
  await Promise.all(BLOBS.map((blob) => store.blobService.put(blob)));
  return path;
}

async function readable(path: string): Promise<number> {
  await using store = await openStore(path, { sync: false });
  let count = 0;
  for (const blob of BLOBS) {
    const stream = await store.blobService.read(B3Digest.of(blob));
    if (stream !== undefined) expect(await collect(stream, 1 << 20)).toEqual(blob);
    if (stream !== undefined) count++;
  }
  return count;
}

describe("a store whose index is gone", () => {
  test("makes it again from its journal, and says so", async () => {
    const path = await filled();
    await rm(join(path, "index"), { recursive: true });
    const notices: string[] = [];
    await (await openStore(path, { sync: false, onNotice: (text) => notices.push(text) })).close();
    expect(notices).toEqual([expect.stringContaining("made again from its journal")]);
    expect(await readable(path)).toBe(BLOBS.length);
  });

  test("and its journal as well: finds its chunks in the packs, and says what is lost", async () => {
    const path = await filled();
    await rm(join(path, "index"), { recursive: true });
    await rm(join(path, "journal"), { recursive: true });
    const notices: string[] = [];
    await (await openStore(path, { sync: false, onNotice: (text) => notices.push(text) })).close();
    expect(notices).toEqual([expect.stringContaining("50 chunks")]);
    expect(await readable(path)).toBe(BLOBS.length);
  });

  test("goes on where a process has ended in the middle of that", async () => {
    const path = await filled();
    await rm(join(path, "index"), { recursive: true });
    // What such a process leaves: an index that was begun, and has not got its last mark.
    await (await openStore(path, { sync: false })).close();
    const level = new ClassicLevel(join(path, "index"));
    await level.del("m1format");
    const keys = (await level.keys().all()).filter((key) => key.startsWith("c1"));
    await level.batch(keys.slice(13).map((key) => ({ type: "del", key })));
    await level.close();
    expect(await readable(path)).toBe(BLOBS.length);
  });

  test("but for its tables: it does not open, and nothing is removed", async () => {
    const path = await filled();
    await (await openStore(path, { sync: false })).close();
    await rm(join(path, "index", "CURRENT"));
    const before = await readdir(join(path, "index"));
    await expect(openStore(path)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(/CURRENT is missing .*repair/),
    });
    expect(await readdir(join(path, "index"))).toEqual(before);
    const manifest = before.find((name) => name.startsWith("MANIFEST"));
    await writeFile(join(path, "index", "CURRENT"), `${manifest}\n`);
    expect(await readable(path)).toBe(BLOBS.length);
  });
});

describe("where there is no store", () => {
  test("none is made for those who only read", async () => {
    const path = join(await temporaryDirectory(), "mistyped");
    await expect(openStore(path, { create: false })).rejects.toMatchObject({ code: "NOT_A_STORE" });
    await expect(readdir(path)).rejects.toMatchObject({ code: "ENOENT" });
    await (await openStore(path)).close();
    await (await openStore(path, { create: false })).close();
  });

  test("and none can be made, that is an error at once", async () => {
    await expect(openStore("/proc/tvix/store")).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "");
    await expect(openStore(join(file, "store"))).rejects.toMatchObject({ code: "STORAGE_FAILURE" });
    await expect(makeDirectory("/proc/tvix/a/b")).rejects.toThrow();
  });
});
