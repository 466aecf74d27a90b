import { statSync } from "node:fs";
import { mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { ingest } from "@tvix/castore-fs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { HardLinks } from "../src/hard-links.ts";
import { isSameFile } from "../src/same-file.ts";

const memoryServices = () => ({
  blobService: new MemoryBlobService(),
  directoryService: new MemoryDirectoryService(),
});

test("files whose inodes are neighbours beyond 2^53 are two files", async () => {
  const common = { dev: 1n, size: 10n, mtimeNs: 1n, ctimeNs: 1n };
  const [one, other] = [
    { ...common, ino: 2n ** 53n },
    { ...common, ino: 2n ** 53n + 1n },
  ];
  expect(isSameFile(one, other)).toBe(false);
  const links = new HardLinks<string>();
  const stats = (identity: typeof one) => ({ ...identity, nlink: 2n }) as Parameters<typeof links.once>[0];
  expect(await links.once(stats(one), async () => "one")).toBe("one");
  expect(await links.once(stats(other), async () => "other")).toBe("other");
  expect(await links.once(stats(one), async () => "again")).toBe("one");
});

/** Ingests a folder while something is done to it, when the first blob is put. */
async function ingestWhile(root: string, interfere: () => Promise<void>): Promise<unknown> {
  const services = memoryServices();
  const put = services.blobService.put.bind(services.blobService);
  let done = false;
  services.blobService.put = async (source, options) => {
    const first = !done;
    done = true;
    if (first) await interfere();
    return await put(source, options);
  };
  return await ingest(root, services);
}

describe("what changes while it is read is refused", () => {
  const LONG = 3_000_000;

  test("a file that grows without end, before more than it had is stored", async () => {
    const root = await temporaryDirectory();
    const path = join(root, "growing");
    await writeFile(path, fixtures.pseudoRandomBytes(LONG));
    let stored = 0;
    const services = memoryServices();
    const put = services.blobService.put.bind(services.blobService);
    services.blobService.put = async (source, options) => {
      async function* grown() {
        for await (const piece of source as AsyncIterable<Uint8Array>) {
          stored += piece.length;
          await writeFile(path, new Uint8Array(1 << 20), { flag: "a" });
          yield piece;
        }
      }
      return await put(grown(), options);
    };
    await expect(ingest(root, services)).rejects.toMatchObject({ code: "CHANGED_WHILE_READING" });
    expect(stored).toBeLessThanOrEqual(LONG);
  });

  test("a file that was written to, with its time set back", async () => {
    const root = await temporaryDirectory();
    const path = join(root, "file");
    await writeFile(path, fixtures.pseudoRandomBytes(LONG));
    const { atime, mtime } = statSync(path);
    const interfere = async () => {
      await writeFile(path, fixtures.pseudoRandomBytes(LONG, 2), { flag: "r+" });
      await utimes(path, atime, mtime);
    };
    await expect(ingestWhile(root, interfere)).rejects.toMatchObject({ code: "CHANGED_WHILE_READING" });
  });

  test("a directory whose place is taken by a link", async () => {
    const root = await temporaryDirectory();
    const outside = await temporaryDirectory();
    await writeFile(join(outside, "secret"), "secret");
    await mkdir(join(root, "a"));
    await writeFile(join(root, "a", "file"), fixtures.pseudoRandomBytes(LONG));
    // As many entries as are under way at the same time, and more: the walk is not over when the first is stored.
    for (let file = 0; file < 500; file++) await writeFile(join(root, "a", `${file}`), `${file}`);
    await mkdir(join(root, "b"));
    for (const taken of ["a", "b"]) {
      const interfere = async () => {
        await rename(join(root, taken), join(root, `${taken}-moved`));
        await symlink(outside, join(root, taken));
      };
      await expect(ingestWhile(root, interfere)).rejects.toMatchObject({
        code: expect.stringMatching(/CHANGED_WHILE_READING|STORAGE_FAILURE/),
      });
      await rm(join(root, taken));
      await rename(join(root, `${taken}-moved`), join(root, taken));
    }
  });

  test("a file that does not tell its length, as in /proc", async () => {
    await expect(ingest("/proc/self/status", memoryServices())).rejects.toMatchObject({
      code: "CHANGED_WHILE_READING",
      message: expect.stringContaining("/proc/self/status has more bytes"),
    });
    const path = join(await temporaryDirectory(), "empty");
    await writeFile(path, "");
    expect(await ingest(path, memoryServices())).toMatchObject({ type: "file", size: 0n });
  });
});

describe("what is no bytes is not stored as none", () => {
  test.each<[what: string, source: unknown, shown: string]>([
    [
      "a stream of numbers",
      (async function* () {
        yield 1;
        yield 2;
      })(),
      "1 (number)",
    ],
    ["an array of numbers", [1, 2], "1 (number)"],
    ["a Uint16Array", new Uint16Array([5]), "5 (number)"],
    ["a text", "text", "t (string)"],
    ["bytes and then a text", [Uint8Array.of(1), "text"], "text (string)"],
  ])("%s", async (_, source, shown) => {
    const blobs = new MemoryBlobService();
    const putting = blobs.put(source as Uint8Array);
    await expect(putting).rejects.toThrow(
      new TypeError(`a stream of bytes consists of Uint8Arrays, got ${shown}`),
    );
  });
});
