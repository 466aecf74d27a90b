import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  type DirectoryService,
  MemoryRecordStore,
  type Node,
  openRecordStore,
  type RecordStore,
} from "@tvix/castore";
import {
  type CollectionReport,
  collectGarbage,
  findGarbage,
  readCollection,
  verifyContents,
} from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { beforeEach, describe, expect, test, vi } from "vitest";

const { directoryNode, directoryOf, pseudoRandomBytes } = fixtures;
const HOUR = 3_600_000;

let records: RecordStore;
let blobs: BlobService;
let directories: DirectoryService;
let roots: Node[];

beforeEach(async () => {
  records = new MemoryRecordStore();
  roots = [];
  ({ blobService: blobs, directoryService: directories } = await openRecordStore(records, {
    chunkSizes: { min: 1024, avg: 2048, max: 4096 },
  }));
});

const parts = () => ({
  records,
  openScratch: async () => {
    const scratch = new MemoryRecordStore();
    return { records: scratch, remove: () => scratch.close() };
  },
  markRoots: async (marker: { node(node: Node): Promise<void> }) => {
    for (const root of roots) await marker.node(root);
  },
});

const run = (graceMs = 0): Promise<CollectionReport> => collectGarbage(parts(), { graceMs });

/** A directory with a file of its own and one that others have too. */
async function tree(name: string): Promise<{ node: Node; own: B3Digest; shared: B3Digest }> {
  const own = await blobs.put(pseudoRandomBytes(20_000, name.length * 1000 + (name.codePointAt(0) ?? 0)));
  const shared = await blobs.put(Buffer.from("shared by all"));
  const file = (digest: B3Digest, size: bigint) =>
    ({ type: "file", digest, size, executable: false }) as const;
  const inner = directoryOf({ own: file(own, 20_000n) });
  const outer = directoryOf({ [name]: directoryNode(inner), shared: file(shared, 13n) });
  await directories.putMany([inner, outer]);
  return { node: directoryNode(outer), own, shared };
}

async function isWhole({ node, own, shared }: Awaited<ReturnType<typeof tree>>): Promise<boolean> {
  if (node.type !== "directory") return false;
  const found = await Array.fromAsync(directories.getRecursive(node.digest));
  const read = async (digest: B3Digest) => {
    const stream = await blobs.read(digest);
    return stream !== undefined && B3Digest.of(await collect(stream, 1 << 20)).equals(digest);
  };
  return found.length === 2 && (await read(own)) && (await read(shared));
}

/** Everything that is stored, but for facts. */
async function contents(): Promise<number> {
  let count = 0;
  for await (const [key] of records.entries({ prefix: new Uint8Array(0) })) if (key[0] !== 0x6d) count++;
  return count;
}

describe("a collection", () => {
  test("removes what nothing reaches, with its lists, and keeps the rest whole", async () => {
    const [kept, gone] = [await tree("kept"), await tree("gone")];
    roots.push(kept.node);
    const before = await contents();
    const { removed, condemned, due } = await run();
    expect(removed).toMatchObject({ directories: 2, blobs: 1 });
    expect(condemned).toEqual(removed);
    expect(due).toBeUndefined();
    expect(await isWhole(kept)).toBe(true);
    expect(await blobs.has(gone.own)).toBe(false);
    roots = [];
    await run();
    expect(await contents()).toBe(0);
    expect(before).toBeGreaterThan(20);
  });

  test("looks twice, with time in between", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1e12 });
    try {
      const gone = await tree("gone");
      const first = await run(HOUR);
      expect(first).toMatchObject({ removed: undefined, due: 1e12 + HOUR });
      expect(first.condemned?.directories).toBe(2);
      vi.setSystemTime(1e12 + HOUR - 1);
      expect(await run(HOUR)).toEqual({ removed: undefined, condemned: undefined, due: 1e12 + HOUR });
      expect(await isWhole(gone)).toBe(true);
      vi.setSystemTime(1e12 + HOUR);
      const second = await run(HOUR);
      expect(second.removed).toEqual(first.condemned);
      expect(second.condemned).toMatchObject({ blobs: 0, chunks: 0, directories: 0 });
      expect(await contents()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  type Tree = Awaited<ReturnType<typeof tree>>;

  test.each([
    ["stored again", async (_: Tree) => void (await tree("gone"))],
    ["asked for, blob by blob", async ({ own }: Tree) => void (await blobs.has(own))],
  ])("what is condemned stays when it is %s", async (what, claim) => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1e12 });
    try {
      const gone = await tree("gone");
      await run(HOUR);
      await claim(gone);
      vi.setSystemTime(1e12 + HOUR);
      await run(HOUR);
      expect(await collect((await blobs.read(gone.own)) ?? [], 1 << 20)).toHaveLength(20_000);
      if (what === "stored again") expect(await isWhole(gone)).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([-86_400_000, 0, 86_400_000])(
    "beneath an upload whose clock jumps by %i ms: it has to be put again",
    async (jumpMs) => {
      vi.useFakeTimers({ toFake: ["Date"], now: 1e12 });
      try {
        const bytes = pseudoRandomBytes(40_000, 9);
        // Its chunks are there already, and nothing reaches them; whoever writes has seen how far the last collection came.
        await blobs.put(bytes);
        await run();
        await blobs.put(bytes);
        const collected = async function* () {
          yield bytes.subarray(0, 39_000);
          vi.setSystemTime(Date.now() + jumpMs);
          await run();
          // Others learn of it before this one ends.
          await blobs.put(pseudoRandomBytes(20_000, 10));
          yield bytes.subarray(39_000);
        };
        await expect(blobs.put(collected())).rejects.toMatchObject({
          code: "UNAVAILABLE",
          message: expect.stringContaining("put it again"),
        });
        const again = await blobs.put(bytes);
        expect(Buffer.from(await collect((await blobs.read(again)) ?? [], 1 << 20)).equals(bytes)).toBe(true);
      } finally {
        vi.useRealTimers();
      }
    },
  );

  test("beneath an upload that shares a look-up older than itself: it has to be put again", async () => {
    const bytes = pseudoRandomBytes(40_000, 11);
    await blobs.put(bytes);
    await run();
    await blobs.put(bytes);
    // One upload is told that the chunks are there, and the answers take their time.
    const answered = Promise.withResolvers<void>();
    let lookups = 0;
    const getMany = records.getMany.bind(records);
    const spy = vi.spyOn(records, "getMany").mockImplementation(async (keys) => {
      const found = await getMany(keys);
      lookups++;
      await answered.promise;
      return found;
    });
    const older = blobs.put(bytes);
    await vi.waitFor(() => expect(lookups).toBeGreaterThan(1));
    spy.mockRestore();
    await run();
    // It has seen how far the collection came, as the store has, and joins the look-ups from before.
    await blobs.put(pseudoRandomBytes(20_000, 12));
    const younger = blobs.put(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    answered.resolve();
    const again = { code: "UNAVAILABLE", message: expect.stringContaining("put it again") };
    const outcomes = await Promise.allSettled([older, younger]);
    expect(outcomes.filter(({ status }) => status === "rejected")).toMatchObject(
      outcomes.map(() => ({ reason: again })),
    );
    const digest = await blobs.put(bytes);
    expect(Buffer.from(await collect((await blobs.read(digest)) ?? [], 1 << 20)).equals(bytes)).toBe(true);
  });

  test("while somebody begins to read: what has gone is an error, and no empty blob", async () => {
    const digest = await blobs.put(pseudoRandomBytes(40_000, 13));
    const get = records.get.bind(records);
    const spy = vi.spyOn(records, "get").mockImplementationOnce(async (key) => {
      const found = await get(key);
      await run();
      return found;
    });
    const stream = await blobs.read(digest);
    spy.mockRestore();
    await expect(collect(stream ?? [], 1 << 20)).rejects.toMatchObject({ code: "INCOMPLETE" });
    expect(await blobs.read(digest)).toBeUndefined();
    expect(await blobs.chunks(digest)).toBeUndefined();
  });

  test("a dry look changes nothing", async () => {
    await tree("gone");
    const before = await contents();
    expect(await findGarbage(parts())).toMatchObject({ directories: 2, blobs: 1 });
    expect(await contents()).toBe(before);
    expect((await readCollection(records)).phase).toBe("idle");
  });

  test("goes on where one was interrupted, wherever that was", async () => {
    const kept = await tree("kept");
    roots.push(kept.node);
    for (let failing = 1; ; failing++) {
      const gone = await tree("gone");
      let writes = 0;
      const write = records.write.bind(records);
      const spy = vi.spyOn(records, "write").mockImplementation(async (...args) => {
        if (++writes >= failing) throw new Error("killed");
        return await write(...args);
      });
      const interrupted = await run().catch((error: Error) => error);
      spy.mockRestore();
      await records.write([{ type: "del", key: Buffer.from("m1collector") }]);
      await run();
      expect(await isWhole(kept)).toBe(true);
      expect(await blobs.has(gone.own)).toBe(false);
      expect(await findGarbage(parts())).toMatchObject({ directories: 0, blobs: 0, chunks: 0 });
      if (!(interrupted instanceof Error)) break;
      expect(failing).toBeLessThan(50);
    }
  });

  test("is not held up by what lies under a key that is none, which a verification names", async () => {
    const kept = await tree("kept");
    roots.push(kept.node);
    await tree("gone");
    const strays = ["c1", "b1", "d1", "g1"].map((table) => Buffer.from(`${table}stray`));
    await records.write(strays.map((key) => ({ type: "put", key, value: Buffer.from("?") })));
    expect((await run()).removed).toMatchObject({ directories: 2, blobs: 1 });
    expect(await isWhole(kept)).toBe(true);
    const counts = { chunks: 0, blobs: 0, directories: 0, bytesRead: 0 };
    const faults = await Array.fromAsync(verifyContents({ records, inspectChunk: async () => 0 }, counts));
    expect(faults.map(({ name, kind }) => `${kind} ${Buffer.from(name, "hex")}`)).toEqual([
      "orphaned c1stray",
      "orphaned b1stray",
      "orphaned d1stray",
    ]);
  });

  test("takes the parts of a list with it, and those of one that was replaced", async () => {
    const long = pseudoRandomBytes(6_000_000, 9);
    const digest = await blobs.put(long);
    const segments = async () =>
      (await Array.fromAsync(records.entries({ prefix: Buffer.from("l1") }))).length;
    const before = await segments();
    expect(before).toBeGreaterThan(0);
    for await (const [key] of records.entries({ prefix: Buffer.from("l1") })) {
      await records.write([{ type: "del", key }]);
      break;
    }
    expect((await blobs.put(long)).equals(digest)).toBe(true);
    await run();
    expect(await segments()).toBe(0);
    expect(await contents()).toBe(0);
  });

  test("is not done twice at once", async () => {
    await tree("gone");
    const results = await Promise.allSettled([run(), run()]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const failed = results.find((result) => result.status === "rejected");
    expect(failed?.reason).toMatchObject({ code: "LOCKED" });
  });

  test("does not guess what is below a directory that cannot be read", async () => {
    const { node } = await tree("kept");
    roots.push(node);
    if (node.type !== "directory") throw new Error("a directory");
    await records.write([
      { type: "put", key: Buffer.concat([Buffer.from("d1"), node.digest.bytes]), value: Buffer.from("?") },
    ]);
    await expect(run()).rejects.toMatchObject({ code: "CORRUPT" });
    expect(await contents()).toBeGreaterThan(5);
  });
});
