import { type B3Digest, Directory, MemoryDirectoryService, PathComponent, ReadAhead } from "@tvix/castore";
import fc from "fast-check";
import { expect, test } from "vitest";

/** A tree as arrays of subtrees. */
type Tree = readonly Tree[];

const trees = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, fc.constant([]), fc.array(tie("tree"), { maxLength: 5 })),
})).tree;

async function stored(tree: Tree): Promise<{ service: MemoryDirectoryService; root: Directory }> {
  const directories: Directory[] = [];
  const build = (node: Tree): Directory => {
    const entries = node.map(build).map((child, index) => ({
      name: PathComponent.from(`${index}`),
      node: { type: "directory" as const, digest: child.digest(), size: child.size() },
    }));
    const directory = Directory.of(entries);
    directories.push(directory);
    return directory;
  };
  const root = build(tree);
  const service = new MemoryDirectoryService();
  await service.putMany(directories);
  return { service, root };
}

/** Digests in the order of a walk. */
async function walk(
  get: (digest: B3Digest) => Promise<Directory | undefined>,
  root: B3Digest,
  isBackwards = false,
): Promise<string[]> {
  const directory = await get(root);
  const children = Array.from((directory as Directory).children(), ({ node }) => node.digest);
  const seen = [root.key];
  for (const child of isBackwards ? children.reverse() : children) {
    seen.push(...(await walk(get, child, isBackwards)));
  }
  return seen;
}

test("a walk finds what it finds without", async () => {
  const finds = async (tree: Tree, isBackwards: boolean) => {
    const { service, root } = await stored(tree);
    let lookUps = 0;
    const counting = {
      get: (digest: B3Digest) => {
        lookUps++;
        return service.get(digest);
      },
    };
    const ahead = new ReadAhead(counting);
    const expected = await walk((digest) => service.get(digest), root.digest(), isBackwards);
    expect(await walk((digest) => ahead.get(digest), root.digest(), isBackwards)).toEqual(expected);
    // In order, nothing is looked up more often than it is asked for.
    if (!isBackwards) expect(lookUps).toBeLessThanOrEqual(expected.length);
  };
  await fc.assert(fc.asyncProperty(trees, fc.boolean(), finds));
});

test("many are under way at once, and no more than is good", async () => {
  const { service, root } = await stored(Array.from({ length: 500 }, (_, index) => chain(index)));
  let inFlight = 0;
  let most = 0;
  const slow = {
    get: async (digest: B3Digest) => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
      return await service.get(digest);
    },
  };
  const ahead = new ReadAhead(slow);
  await walk((digest) => ahead.get(digest), root.digest());
  // The one that is asked for, and those ahead of it.
  expect(most).toBeGreaterThan(64);
  expect(most).toBeLessThanOrEqual(1 + 128);
});

/** A tree that no other number makes. */
function chain(number: number): Tree {
  return number === 0 ? [] : [chain(number >> 1), ...(number % 2 === 0 ? [] : [[]])];
}

test("a failure is told to who asks, and to nobody else", async () => {
  const { service, root } = await stored([[[]], [[], []], [[], [], []]]);
  const failing = {
    get: async (digest: B3Digest) => {
      if (digest.equals(root.digest())) return await service.get(digest);
      throw new Error("out of reach");
    },
  };
  const ahead = new ReadAhead(failing);
  const [first] = (await ahead.get(root.digest()))?.children() ?? [];
  await expect(ahead.get((first as { node: { digest: B3Digest } }).node.digest)).rejects.toThrow(
    "out of reach",
  );
});
