import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { fixtures as castore } from "@tvix/castore/testing";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { type CopiedStore, copyPaths, MemoryPathInfoService, type PathInfo } from "@tvix/store";
import { describe, expect, test } from "vitest";

const { pseudoRandomBytes, directoryOf, directoryNode } = castore;

interface TestStore extends CopiedStore {
  /** Paths in the order in which they were told of. */
  readonly told: string[];
  /** Calls that have begun to store something. */
  puts: number;
}

function emptyStore(): TestStore {
  const services = {
    blobService: new MemoryBlobService(),
    directoryService: new MemoryDirectoryService(),
    pathInfoService: new MemoryPathInfoService(),
  };
  const store: TestStore = { ...services, told: [], puts: 0 };
  const putBlob = services.blobService.put.bind(services.blobService);
  services.blobService.put = async (source, options) => {
    store.puts++;
    return await putBlob(source, options);
  };
  const putInfo = services.pathInfoService.put.bind(services.pathInfoService);
  services.pathInfoService.put = async (info, options) => {
    store.puts++;
    const stored = await putInfo(info, options);
    store.told.push(info.storePath.name);
    return stored;
  };
  return store;
}

/** A path with a tree of its own: a file of 100 KB and one that all have. */
async function addPath(
  store: CopiedStore,
  number: number,
  references: readonly PathInfo[] = [],
): Promise<PathInfo> {
  const own = await store.blobService.put(pseudoRandomBytes(100_000, number));
  const shared = await store.blobService.put(pseudoRandomBytes(50_000, 0));
  const file = (digest: typeof own, size: bigint) =>
    ({ type: "file", digest, size, executable: false }) as const;
  const below = directoryOf({ own: file(own, 100_000n) });
  const root = directoryOf({ below: directoryNode(below), shared: file(shared, 50_000n) });
  await store.directoryService.putMany([below, root]);
  const digest = new Uint8Array(20);
  new DataView(digest.buffer).setUint32(0, number + 1);
  const info: PathInfo = {
    storePath: StorePath.from(digest, `path-${number}`),
    node: directoryNode(root),
    references: references.map(({ storePath }) => storePath),
    narSize: 150_000,
    narHash: NixHash.from("sha256", new Uint8Array(32).fill(number)),
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  };
  return await store.pathInfoService.put(info);
}

/** A chain of paths with side branches: each refers to those before it, and the last to itself. */
async function closure(store: CopiedStore, count: number): Promise<PathInfo> {
  const infos: PathInfo[] = [];
  for (let number = 0; number < count; number++) {
    infos.push(await addPath(store, number, infos.slice(-3)));
  }
  const last = infos.at(-1) as PathInfo;
  return await store.pathInfoService.put({ ...last, references: [...last.references, last.storePath] });
}

describe("a copy of paths", () => {
  test("takes all that a path refers to, that first, and shared files once", async () => {
    const [from, to] = [emptyStore(), emptyStore()];
    const root = await closure(from, 40);
    const progress = await copyPaths([root], from, to);
    expect(progress).toEqual({ paths: 40, copiedPaths: 40, narBytes: 6_000_000, sentBytes: 4_050_000 });
    for (const [index, name] of to.told.entries()) {
      const number = Number(name.slice(5));
      for (const before of [1, 2, 3]) {
        if (number >= before) expect(to.told.indexOf(`path-${number - before}`)).toBeLessThan(index);
      }
    }
    const found = await to.pathInfoService.get(root.storePath.digest);
    expect(found?.references).toEqual(root.references);
    const tree = await Array.fromAsync(
      to.directoryService.getRecursive((root.node as never as { digest: never }).digest),
    );
    expect(tree).toHaveLength(2);
    expect(await copyPaths([root], from, to)).toMatchObject({ paths: 40, copiedPaths: 0, sentBytes: 0 });
  });

  test("that is interrupted goes on where it stopped", async () => {
    const [from, to] = [emptyStore(), emptyStore()];
    const root = await closure(from, 40);
    const leaving = new AbortController();
    const copying = copyPaths([root], from, to, {
      signal: leaving.signal,
      onProgress: ({ copiedPaths }) => copiedPaths === 20 && leaving.abort(new Error("interrupted")),
    });
    await expect(copying).rejects.toThrow("interrupted");
    const before = to.told.length;
    expect(before).toBeLessThan(40);
    const { copiedPaths, sentBytes } = await copyPaths([root], from, to);
    expect(copiedPaths).toBe(40 - before);
    expect(sentBytes).toBeLessThanOrEqual(copiedPaths * 100_000);
  });

  test("a path is not told of when what it refers to could not be copied", async () => {
    const [from, to] = [emptyStore(), emptyStore()];
    const root = await closure(from, 10);
    const lost = (await from.pathInfoService.list()[Symbol.asyncIterator]().next()).value as PathInfo;
    const holed = {
      ...from,
      directoryService: {
        ...from.directoryService,
        getRecursive: (digest: never, options: never) =>
          lost.node.type === "directory" && lost.node.digest.equals(digest)
            ? (async function* () {})()
            : from.directoryService.getRecursive(digest, options),
      } as never,
    };
    await expect(copyPaths([root], holed, to)).rejects.toMatchObject({ code: "INCOMPLETE" });
    // Nothing goes on behind the caller's back.
    const { puts } = to;
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect(to.puts).toBe(puts);
    // Every other path leads to it.
    expect(to.told).toEqual([]);
  });

  test("a reference that is not in the source is told", async () => {
    const [from, to] = [emptyStore(), emptyStore()];
    const stranger = await addPath(emptyStore(), 99);
    const root = await addPath(from, 1, [stranger]);
    await expect(copyPaths([root], from, to)).rejects.toMatchObject({ code: "MISSING_REFERENCES" });
    expect(to.told).toEqual([]);
  });
});
