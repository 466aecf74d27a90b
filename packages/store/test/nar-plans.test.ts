import { concatBytes } from "@tvix/byte-stream";
import {
  B3Digest,
  CastoreError,
  MemoryBlobService,
  MemoryRecordStore,
  type Node,
  type StoredChunk,
  SymlinkTarget,
} from "@tvix/castore";
import type { StoredParts } from "@tvix/store";
import { RecordNarPlans } from "@tvix/store/records";
import { expect, test } from "vitest";

const VERSION = 7;

const ROOT: Node = { type: "directory", digest: B3Digest.of(new Uint8Array(3)), size: 5n };

/** Describes chunks by a record of one byte: their size. */
const BLOBS = {
  chunkAt(digest: B3Digest, record: Uint8Array): StoredChunk {
    if (record.length !== 1) throw new CastoreError("CORRUPT", "no record");
    const size = record[0] as number;
    return { digest, record, size, storedLength: size, encoding: "raw" };
  },
};

function chunk(size: number): { readonly chunk: StoredChunk } {
  return { chunk: BLOBS.chunkAt(B3Digest.of(Uint8Array.of(size)), Uint8Array.of(size)) };
}

async function* batches(...parts: readonly StoredParts[]) {
  yield* parts;
}

async function keep(plans: RecordNarPlans, root: Node, parts: AsyncIterable<StoredParts>): Promise<number> {
  let count = 0;
  for await (const some of plans.keeping(root, VERSION, parts)) count += some.length;
  return count;
}

/** All parts that are kept, and what is said at their end. */
async function kept(plans: RecordNarPlans, root: Node, version = VERSION) {
  const parts: StoredParts[number][] = [];
  const reading = plans.kept(root, version);
  for (let next = await reading.next(); ; next = await reading.next()) {
    if (next.done === true) return { parts, end: next.value };
    parts.push(...next.value);
  }
}

const recordsOf = async (records: MemoryRecordStore) =>
  await Array.fromAsync(records.entries({ prefix: new TextEncoder().encode("~y1") }));

test("parts come back as they were, for the same node and version only, until they are forgotten", async () => {
  const plans = new RecordNarPlans(new MemoryRecordStore(), BLOBS);
  const parts = [{ syntax: Uint8Array.of(1, 2, 3) }, chunk(9), { syntax: new Uint8Array(300) }, chunk(0)];
  expect(await kept(plans, ROOT)).toEqual({ parts: [], end: "not all" });
  await keep(plans, ROOT, batches(parts.slice(0, 1), parts.slice(1)));
  expect(await kept(plans, ROOT)).toEqual({ parts, end: "all" });
  expect(await kept(plans, ROOT, VERSION + 1)).toEqual({ parts: [], end: "not all" });
  expect(await kept(plans, { ...ROOT, digest: B3Digest.of(new Uint8Array(4)) })).toMatchObject({
    end: "not all",
  });
  await plans.forget(ROOT);
  expect(await kept(plans, ROOT)).toEqual({ parts: [], end: "not all" });
});

test("a NAR that is not passed on to its end has no whole plan", async () => {
  const plans = new RecordNarPlans(new MemoryRecordStore(), BLOBS);
  for await (const _ of plans.keeping(ROOT, VERSION, batches([chunk(1)], [chunk(2)]))) break;
  expect((await kept(plans, ROOT)).end).toBe("not all");
});

test("of what would take more than 64 MiB there is no plan, and nobody has to try again", async () => {
  // A put waits until digests are computed by WebAssembly, without which 64 MiB take seconds.
  await new MemoryBlobService().put(new Uint8Array(1));
  const records = new MemoryRecordStore();
  const plans = new RecordNarPlans(records, BLOBS);
  const parts = (count: number) =>
    Array.from({ length: count }, () => ({ syntax: new Uint8Array(64 << 10) }));
  expect(await keep(plans, ROOT, batches(parts(1024)))).toBe(1024);
  expect((await kept(plans, ROOT)).end).toBe("all");
  expect(await keep(plans, ROOT, batches(parts(1025)))).toBe(1025);
  expect((await recordsOf(records)).length).toBe(1);
  expect(await kept(plans, ROOT)).toEqual({ parts: [], end: "none" });
});

test("links have no plan", async () => {
  const records = new MemoryRecordStore();
  const plans = new RecordNarPlans(records, BLOBS);
  const link: Node = { type: "symlink", target: SymlinkTarget.from(new TextEncoder().encode("there")) };
  expect(await keep(plans, link, batches([chunk(1)]))).toBe(1);
  expect(await recordsOf(records)).toEqual([]);
  expect(await kept(plans, link)).toEqual({ parts: [], end: "none" });
});

test("what cannot be written is passed on all the same", async () => {
  const records = new MemoryRecordStore();
  records.write = async () => {
    throw new CastoreError("NO_SPACE", "the disk is full");
  };
  const plans = new RecordNarPlans(records, BLOBS);
  expect(await keep(plans, ROOT, batches([chunk(1)], [chunk(2), chunk(3)]))).toBe(3);
  expect((await kept(plans, ROOT)).end).toBe("not all");
});

test("parts that cannot be read, although nothing has damaged them, end a plan", async () => {
  const records = new MemoryRecordStore();
  // Of a store that describes chunks in another way.
  const record = concatBytes([Uint8Array.of(1), Uint8Array.of(2)]);
  const other = { chunk: { ...chunk(1).chunk, record } };
  await keep(new RecordNarPlans(records, BLOBS), ROOT, batches([other]));
  expect(await kept(new RecordNarPlans(records, BLOBS), ROOT)).toEqual({ parts: [], end: "not all" });
});
