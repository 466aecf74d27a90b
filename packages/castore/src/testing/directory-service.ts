import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "../directory/directory.ts";
import type { DirectoryService } from "../directory/directory-service.ts";
import { SymlinkTarget } from "../directory/symlink-target.ts";
import {
  DIRECTORY_A,
  DIRECTORY_B,
  DIRECTORY_C,
  DIRECTORY_COMPLICATED,
  DIRECTORY_D,
  DIRECTORY_MIXED,
  DIRECTORY_NON_UTF8,
  DIRECTORY_WITH_KEEP,
  directoryNode,
  directoryOf,
  EMPTY_FILE,
} from "./fixtures.ts";

/** A service under test, and what to do with it afterwards. */
export interface DirectoryServiceFixture {
  readonly directoryService: DirectoryService;
  /** Where the tests put, if the service itself takes nothing. */
  readonly filledThrough?: DirectoryService;
  /** Why a put that fails on our side may be stored in part, where that cannot be helped. */
  readonly cannotTakeBackPuts?: string;
  /** Frees what the service holds. */
  readonly close?: () => Promise<void>;
}

/** How many directories the test of a large tree has at the bottom, and how long what is in each: more than is held in memory. */
const MANY = 3000;
const LONG_TARGET = SymlinkTarget.from("x".repeat(800));

/**
 * Registers, with vitest, the tests that every {@link DirectoryService} passes.
 *
 * @param name of the service, for the report
 * @param setUp makes an empty service; called for each test
 */
export function testDirectoryService(name: string, setUp: () => Promise<DirectoryServiceFixture>): void {
  describe(`DirectoryService contract: ${name}`, () => {
    let fixture: DirectoryServiceFixture;
    let directories: DirectoryService;
    let filled: DirectoryService;

    beforeEach(async () => {
      fixture = await setUp();
      directories = fixture.directoryService;
      filled = fixture.filledThrough ?? directories;
    });
    afterEach(async () => {
      await fixture.close?.();
    });

    const closureOf = async (digest: B3Digest) =>
      hexOf(await Array.fromAsync(directories.getRecursive(digest)));

    const expectRefused = async (sent: readonly Directory[], message: RegExp, absent: Directory) => {
      await expect(filled.putMany(sent)).rejects.toMatchObject({
        message: expect.stringMatching(message),
      });
      expect(await directories.get(absent.digest())).toBeUndefined();
    };

    test("what was never put is not there", async () => {
      const unknown = directoryOf({ "never put": EMPTY_FILE }).digest();
      expect(await directories.get(unknown)).toBeUndefined();
      expect(await closureOf(unknown)).toEqual([]);
    });

    test.each([
      ["empty", DIRECTORY_A],
      ["with a file", DIRECTORY_WITH_KEEP],
      ["not UTF-8", DIRECTORY_NON_UTF8],
    ])("a directory alone comes back: %s", async (_, directory) => {
      expect((await filled.put(directory)).toHex()).toBe(directory.digest().toHex());
      const found = await directories.get(directory.digest());
      expect(found?.encode()).toEqual(directory.encode());
      expect(await closureOf(directory.digest())).toEqual(hexOf([directory]));
    });

    test.each([
      ["A", [DIRECTORY_A], [[DIRECTORY_A]]],
      ["A, B", [DIRECTORY_A, DIRECTORY_B], [[DIRECTORY_B, DIRECTORY_A]]],
      ["A, A, C", [DIRECTORY_A, DIRECTORY_A, DIRECTORY_C], [[DIRECTORY_C, DIRECTORY_A]]],
      ["A, C", [DIRECTORY_A, DIRECTORY_C], [[DIRECTORY_C, DIRECTORY_A]]],
      [
        "A, B, D",
        [DIRECTORY_A, DIRECTORY_B, DIRECTORY_D],
        [
          [DIRECTORY_D, DIRECTORY_A, DIRECTORY_B],
          [DIRECTORY_D, DIRECTORY_B, DIRECTORY_A],
        ],
      ],
      [
        "WITH_KEEP, COMPLICATED",
        [DIRECTORY_WITH_KEEP, DIRECTORY_COMPLICATED],
        [[DIRECTORY_COMPLICATED, DIRECTORY_WITH_KEEP]],
      ],
      ["A, MIXED", [DIRECTORY_A, DIRECTORY_MIXED], [[DIRECTORY_MIXED, DIRECTORY_A]]],
    ] as const)("a tree comes back, root first: %s", async (_, sent, orders) => {
      const root = sent.at(-1) as Directory;
      expect((await filled.putMany(sent)).toHex()).toBe(root.digest().toHex());
      expect(orders.map(hexOf)).toContainEqual(await closureOf(root.digest()));
    });

    test("a tree by the other convention of sizes comes back", async () => {
      const leaf = directoryOf({ "counted twice": EMPTY_FILE });
      const middle = directoryOf({ leaf: directoryNode(leaf, leaf.size("doubled")) });
      const root = directoryOf({ middle: directoryNode(middle, middle.size("doubled")) });
      await filled.putMany([leaf, middle, root]);
      expect(await closureOf(root.digest())).toEqual(hexOf([root, middle, leaf]));
    });

    test("a tree of many directories comes back", async () => {
      const leaves = Array.from({ length: MANY }, (_, index) =>
        directoryOf({ [`link ${index}`]: { type: "symlink", target: LONG_TARGET } }),
      );
      const root = directoryOf(
        Object.fromEntries(leaves.map((leaf, index) => [`directory ${index}`, directoryNode(leaf)])),
      );
      await filled.putMany([...leaves, root]);
      const found = await closureOf(root.digest());
      expect(found[0]).toBe(root.digest().toHex());
      expect(new Set(found).size).toBe(MANY + 1);
      expect(found).toHaveLength(MANY + 1);
      const unknown = directoryOf({ "never put either": EMPTY_FILE }).digest();
      const asked = [...leaves.map((leaf) => leaf.digest()), unknown];
      const got = await Promise.all(asked.map((digest) => directories.get(digest)));
      expect(got.map((directory) => directory?.digest().toHex())).toEqual([...hexOf(leaves), undefined]);
    });

    test("no directories at all are refused", async () => {
      await expect(filled.putMany([])).rejects.toMatchObject({ code: "INVALID_CLOSURE" });
    });

    test("a child that was not sent before is refused, though it is stored", async () => {
      const child = directoryOf({ stored: EMPTY_FILE });
      await filled.put(child);
      const parent = directoryOf({ "of the stored one": directoryNode(child) });
      await expectRefused([parent], /unknown directory was referenced/, parent);
      await expectRefused([parent, child], /unknown directory was referenced/, parent);
    });

    test("a child with a wrong size is refused, and nothing is stored", async () => {
      const child = directoryOf({ "of wrong size": EMPTY_FILE });
      const parent = directoryOf({ child: directoryNode(child, 42n) });
      await expectRefused([child, parent], /wrong size, specified 42, recorded 1/, parent);
      expect(await directories.get(child.digest())).toBeUndefined();
    });

    test("two roots are refused, and nothing is stored", async () => {
      const one = directoryOf({ one: EMPTY_FILE });
      const other = directoryOf({ other: EMPTY_FILE });
      await expectRefused([one, other], /no single root/, one);
      expect(await directories.get(other.digest())).toBeUndefined();
    });

    test("a source that fails leaves nothing behind", async ({ skip }) => {
      if (fixture.cannotTakeBackPuts !== undefined) skip(fixture.cannotTakeBackPuts);
      const directory = directoryOf({ "left behind": EMPTY_FILE });
      async function* failing(): AsyncIterable<Directory> {
        yield directory;
        throw new Error("the source failed");
      }
      await expect(filled.putMany(failing())).rejects.toThrow();
      expect(await directories.get(directory.digest())).toBeUndefined();
    });

    test("an aborted signal ends every operation with its reason", async () => {
      const reason = new Error("too late");
      const signal = AbortSignal.abort(reason);
      const digest = await filled.put(DIRECTORY_A);
      await expect(directories.get(digest, { signal })).rejects.toBe(reason);
      await expect(Array.fromAsync(directories.getRecursive(digest, { signal }))).rejects.toBe(reason);
      await expect(filled.put(DIRECTORY_A, { signal })).rejects.toBe(reason);
      await expect(filled.putMany([DIRECTORY_A], { signal })).rejects.toBe(reason);
    });

    test("many put overlapping trees at once", async () => {
      const leaf = directoryOf({ shared: EMPTY_FILE });
      const roots = Array.from({ length: 30 }, (_, index) =>
        directoryOf({ [`leaf ${index}`]: directoryNode(leaf) }),
      );
      await Promise.all(roots.map((root) => filled.putMany([leaf, root])));
      for (const root of roots) expect(await closureOf(root.digest())).toEqual(hexOf([root, leaf]));
    });
  });
}

function hexOf(directories: Iterable<Directory>): string[] {
  return [...directories].map((directory) => directory.digest().toHex());
}
