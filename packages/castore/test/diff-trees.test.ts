import fc from "fast-check";
import { expect, test } from "vitest";
import {
  B3Digest,
  type Directory,
  type DirectoryNode,
  diffTrees,
  MemoryDirectoryService,
  type Node,
  SymlinkTarget,
  walkTree,
} from "../src/index.ts";
import { directoryOf } from "../src/testing/fixtures.ts";

/** A tree as a list of paths with what is there; directories come from the paths. */
type Listing = ReadonlyMap<string, string>;

const leaf = (text: string): Node =>
  text.startsWith("l")
    ? { type: "symlink", target: SymlinkTarget.from(text) }
    : {
        type: "file",
        digest: B3Digest.of(new TextEncoder().encode(text)),
        size: BigInt(text.length),
        executable: text === "fx",
      };

async function store(listing: Listing, service: MemoryDirectoryService): Promise<DirectoryNode> {
  const directories: Directory[] = [];
  const build = (prefix: string): Node => {
    const names = new Set(
      [...listing.keys()]
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length).split("/")[0] as string),
    );
    const directory = directoryOf(
      Object.fromEntries(
        [...names].map((name) => [
          name,
          listing.has(prefix + name)
            ? leaf(listing.get(prefix + name) as string)
            : build(`${prefix}${name}/`),
        ]),
      ),
    );
    directories.push(directory);
    return { type: "directory", digest: directory.digest(), size: directory.size("doubled") };
  };
  const root = build("") as DirectoryNode;
  await service.putMany(directories);
  return root;
}

/** Files and links below a node, by their paths. */
async function leavesOf(
  root: Node,
  service: MemoryDirectoryService,
  prefix = "",
): Promise<Map<string, string>> {
  const leaves = new Map<string, string>();
  for await (const { path, node } of walkTree(root, service)) {
    if (node.type === "directory") continue;
    const place = [prefix, path.toString()].filter(Boolean).join("/");
    leaves.set(
      place,
      node.type === "symlink"
        ? node.target.toString()
        : node.executable
          ? "fx"
          : "f".repeat(Number(node.size)),
    );
  }
  return leaves;
}

const listings = fc
  .array(
    fc.tuple(
      fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("f", "ff", "fx", "l1", "l2"),
    ),
    { maxLength: 12 },
  )
  .map((items) => {
    const listing = new Map<string, string>();
    for (const [names, text] of items) {
      const path = names.join("/");
      const clashes = [...listing.keys()].some(
        (other) => other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`),
      );
      if (!clashes) listing.set(path, text);
    }
    return listing;
  });

test("what differs, taken away from one tree and put in, makes the other one; what does not is not told", async () => {
  await fc.assert(
    fc.asyncProperty(listings, listings, async (one, other) => {
      const service = new MemoryDirectoryService();
      const [before, after] = [await store(one, service), await store(other, service)];
      const made = await leavesOf(before, service);
      const paths: string[] = [];
      for await (const difference of diffTrees(before, after, service)) {
        const path = difference.path.toString();
        paths.push(path);
        expect(difference.before ?? difference.after).toBeDefined();
        if (difference.before !== undefined) {
          for (const gone of (await leavesOf(difference.before, service, path)).keys())
            expect(made.delete(gone)).toBe(true);
        }
        if (difference.after !== undefined) {
          for (const [place, text] of await leavesOf(difference.after, service, path)) made.set(place, text);
        }
      }
      expect(new Set(paths).size).toBe(paths.length);
      expect([...made].sort()).toEqual([...(await leavesOf(after, service))].sort());
      if (before.digest.equals(after.digest)) expect(paths).toEqual([]);
    }),
  );
});

test("what is the same in both is not looked into, and what is missing says so", async () => {
  const service = new MemoryDirectoryService();
  const before = await store(
    new Map([
      ["same/x", "f"],
      ["a", "f"],
    ]),
    service,
  );
  const after = await store(
    new Map([
      ["same/x", "f"],
      ["a", "ff"],
    ]),
    service,
  );
  const asked: string[] = [];
  const get = async (digest: B3Digest) => {
    asked.push(digest.toHex());
    return await service.get(digest);
  };
  expect(
    (await Array.fromAsync(diffTrees(before, after, { get }))).map(({ path }) => path.toString()),
  ).toEqual(["a"]);
  expect(asked).toHaveLength(2);
  await expect(
    Array.fromAsync(diffTrees(before, after, { get: async () => undefined })),
  ).rejects.toMatchObject({ code: "INCOMPLETE" });
});
