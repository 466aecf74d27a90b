import { MemoryRecordStore } from "@tvix/castore";
import { beforeEach, expect, test, vi } from "vitest";
import { B3Digest } from "../src/digest/b3-digest.ts";
import { Directory } from "../src/directory/directory.ts";
import { PathComponent } from "../src/directory/path-component.ts";
import { SymlinkTarget } from "../src/directory/symlink-target.ts";
import { RecordChunkListStore } from "../src/records/chunk-list-store.ts";
import { DirectoryStaging } from "../src/records/directory-staging.ts";
import { removeExpiredUploads } from "../src/records/remove-expired.ts";
import { LIST_SEGMENTS, OLD_UPLOADS, STAGED_DIRECTORIES, UPLOADS } from "../src/records/tables.ts";
import { UploadLease } from "../src/records/upload-lease.ts";

const HOUR_MS = 3_600_000;
const PIECE = new Uint8Array(10);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  return () => void vi.useRealTimers();
});

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

async function countOf(records: MemoryRecordStore): Promise<number> {
  let count = 0;
  for (const prefix of ["l1", "s1", "u1", "u2"]) {
    for await (const _ of records.entries({ prefix: new TextEncoder().encode(prefix) })) count++;
  }
  return count;
}

const segment = (lease: UploadLease, number: number) => LIST_SEGMENTS.put({ id: lease.id, number }, PIECE);

test("an upload under way is left alone, by this process and by others", async () => {
  const records = new MemoryRecordStore();
  const lease = new UploadLease(records);
  await lease.write([segment(lease, 0)]);
  await removeExpiredUploads(records);
  expect(await countOf(records)).toBe(2);
  await lease.end([]);
  expect(await UPLOADS.has(records, lease.id)).toBe(false);
  expect(await LIST_SEGMENTS.has(records, { id: lease.id, number: 0 })).toBe(true);
});

test("one that goes on slowly is kept for as long as it does", async () => {
  const records = new MemoryRecordStore();
  const lease = new UploadLease(records);
  await lease.write([segment(lease, 0)]);
  for (let count = 0; count < 10; count++) {
    pass(HOUR_MS / 2);
    await lease.keep();
    await removeExpiredUploads(records);
  }
  await lease.end([segment(lease, 1)]);
  expect(await countOf(records)).toBe(2);
});

test("one that was given up is removed, and cannot be completed any more", async () => {
  const records = new MemoryRecordStore();
  const lease = new UploadLease(records);
  await lease.write([segment(lease, 0)]);
  pass(HOUR_MS + 1);
  await removeExpiredUploads(records);
  expect(await countOf(records)).toBe(0);
  const late = { code: "UNAVAILABLE", message: expect.stringContaining("given up") };
  await expect(lease.write([segment(lease, 1)])).rejects.toMatchObject(late);
  await expect(lease.end([segment(lease, 1)])).rejects.toMatchObject(late);
  expect(await countOf(records)).toBe(0);
});

test("removing ends anywhere and goes on with the next one", async () => {
  for (let writes = 0; writes < 4; writes++) {
    const records = new MemoryRecordStore();
    const lease = new UploadLease(records);
    await lease.write([segment(lease, 0), segment(lease, 1)]);
    pass(HOUR_MS + 1);
    let left = writes;
    const write = records.write.bind(records);
    records.write = async (...args) => {
      if (left-- <= 0) throw new Error("the process ends here");
      return await write(...args);
    };
    await removeExpiredUploads(records).catch(() => {});
    records.write = write;
    if (writes > 0) await expect(lease.end([])).rejects.toThrow("given up");
    await removeExpiredUploads(records);
    expect([writes, await countOf(records)]).toEqual([writes, 0]);
  }
});

test("several who remove at the same time do no harm", async () => {
  const records = new MemoryRecordStore();
  const [lost, goesOn] = [new UploadLease(records), new UploadLease(records)];
  await lost.write([segment(lost, 0)]);
  pass(HOUR_MS + 1);
  await goesOn.write([segment(goesOn, 0)]);
  await Promise.all(Array.from({ length: 5 }, () => removeExpiredUploads(records)));
  await goesOn.end([]);
  expect(await countOf(records)).toBe(1);
});

test("what older versions left behind is removed, with their directories", async () => {
  const records = new MemoryRecordStore();
  const id = new Uint8Array(12).fill(7);
  await records.write([
    OLD_UPLOADS.put(id, undefined),
    LIST_SEGMENTS.put({ id, number: 0 }, PIECE),
    STAGED_DIRECTORIES.put({ id: new Uint8Array(12), number: 0 }, PIECE),
  ]);
  await removeExpiredUploads(records);
  expect(await countOf(records)).toBe(0);
});

test("chunk lists and directories that are put write under a lease, and leave nothing", async () => {
  const records = new MemoryRecordStore();
  const writer = new RecordChunkListStore(records).write();
  for (let count = 0; count < 3000; count++) {
    await writer.append({ digest: B3Digest.of(Uint8Array.of(count, count >> 8)), size: 2 });
  }
  await Array.fromAsync(UPLOADS.entries(records), (entry) =>
    expect(entry.value()).toBe(Date.now() + HOUR_MS),
  );
  await writer.commit(B3Digest.of(PIECE));
  expect(await Array.fromAsync(UPLOADS.entries(records))).toEqual([]);

  const staging = new DirectoryStaging(records);
  const target = SymlinkTarget.from("x".repeat(4000));
  const directory = Directory.of([{ name: PathComponent.from("link"), node: { type: "symlink", target } }]);
  for (let count = 0; count < 1000; count++) await staging.add(directory);
  expect(await Array.fromAsync(UPLOADS.entries(records))).toHaveLength(1);
  await staging.clear();
  expect(await Array.fromAsync(STAGED_DIRECTORIES.entries(records))).toEqual([]);
  expect(await Array.fromAsync(UPLOADS.entries(records))).toEqual([]);
});

test("a list whose upload stood still for too long is not there", async () => {
  const records = new MemoryRecordStore();
  const lists = new RecordChunkListStore(records);
  const writer = lists.write();
  for (let count = 0; count < 1100; count++) {
    await writer.append({ digest: B3Digest.of(Uint8Array.of(count, count >> 8)), size: 2 });
  }
  pass(HOUR_MS + 1);
  await removeExpiredUploads(records);
  await expect(writer.commit(B3Digest.of(PIECE))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(await lists.count(B3Digest.of(PIECE))).toBeUndefined();
});
