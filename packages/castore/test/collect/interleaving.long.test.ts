import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
  type Directory,
  MemoryRecordStore,
  type Node,
  openRecordStore,
  type RecordStore,
  Table,
  TEXT,
} from "@tvix/castore";
import { claimed, claimedWhole, collectGarbage, readCollection } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Actor, everyInterleaving, type Scenario } from "./interleaving.ts";

const { directoryOf, pseudoRandomBytes } = fixtures;
const HOUR = 3_600_000;
const START = 1e12;

const CHUNK_SIZES = { min: 256, avg: 512, max: 1024 };

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: START }));
afterEach(() => vi.useRealTimers());

/** Roots by their names: the digests of directories. */
const ROOTS: Table<string, Uint8Array> = new Table({
  prefix: "r1",
  subject: (name) => `the root ${name}`,
  key: TEXT,
  value: { encode: (bytes) => bytes, decode: (bytes) => bytes },
  sealed: false,
});

const LONG = pseudoRandomBytes(3000, 1);
const SHORT = Buffer.from("a short one");
const OTHER = pseudoRandomBytes(1500, 2);

const fileOf = (bytes: Uint8Array): Node => {
  const size = BigInt(bytes.length);
  return { type: "file", digest: B3Digest.of(bytes), size, executable: false };
};
const CHILD = directoryOf({ short: fileOf(SHORT) });
const nodeOf = (directory: Directory): Node => {
  return { type: "directory", digest: directory.digest(), size: directory.size() };
};
const PARENT = directoryOf({ child: nodeOf(CHILD), long: fileOf(LONG) });

const open = (records: RecordStore) => openRecordStore(records, { chunkSizes: CHUNK_SIZES });

/** Stores a tree, and a root that reaches it; says nothing of the files when it knows that they are there. */
const upload =
  (rely: boolean, onEnd: (error: Error | undefined) => void): Actor =>
  async (records) => {
    try {
      const { blobService, directoryService } = await open(records);
      for (const bytes of [LONG, SHORT]) {
        const isThere = rely && (await blobService.has(B3Digest.of(bytes)));
        if (!isThere) await blobService.put(bytes);
      }
      await directoryService.putMany([CHILD, PARENT]);
      const root = ROOTS.put("root", PARENT.digest().bytes);
      while (!(await records.write([root], [await claimed(records, nodeOf(PARENT))]))) {}
      onEnd(undefined);
    } catch (error) {
      onEnd(error as Error);
    }
  };

const collector =
  (graceMs: number): Actor =>
  async (records) => {
    await collectGarbage(
      {
        records,
        openScratch: async () => ({ records: new MemoryRecordStore(), remove: async () => {} }),
        async markRoots(marker) {
          for await (const entry of ROOTS.entries(records)) {
            const digest = B3Digest.from(entry.value());
            const isFile = digest.equals(B3Digest.of(LONG));
            await marker.node(isFile ? fileOf(LONG) : { type: "directory", digest, size: 0n });
          }
        },
      },
      { graceMs },
    );
  };

async function isWhole(records: RecordStore): Promise<boolean> {
  const { blobService, directoryService } = await open(records);
  const found = await Array.fromAsync(directoryService.getRecursive(PARENT.digest()));
  for (const bytes of [LONG, SHORT]) {
    const stream = await blobService.read(B3Digest.of(bytes));
    if (stream === undefined || Buffer.compare(await collect(stream, 1 << 20), bytes) !== 0) return false;
  }
  return found.length === 2;
}

/** A store in which everything lies already and nothing reaches it; condemned, where that is asked for. */
async function withGarbage(isCondemned: boolean): Promise<RecordStore> {
  const records = new MemoryRecordStore();
  await upload(false, () => {})(records);
  await records.write([ROOTS.remove("root")]);
  if (isCondemned) await collector(HOUR)(records);
  return records;
}

async function copyOf(records: RecordStore): Promise<RecordStore> {
  const copy = new MemoryRecordStore();
  const entries = await Array.fromAsync(records.entries({ prefix: new Uint8Array(0) }));
  await copy.write(entries.map(([key, value]) => ({ type: "put", key, value })));
  return copy;
}

/** Whatever was stored is whole, now and after further collections. */
async function checkWhole(records: RecordStore): Promise<void> {
  expect(await isWhole(records)).toBe(true);
  await collector(0)(records);
  expect(await isWhole(records)).toBe(true);
}

test.each([
  ["is asked for first", true],
  ["is stored again", false],
])("no first look takes what %s meanwhile", { timeout: 300_000 }, async (_, rely) => {
  const garbage = await withGarbage(false);
  const runs = await everyInterleaving(async (): Promise<Scenario> => {
    const records = await copyOf(garbage);
    let failure: Error | undefined;
    const writer = upload(rely, (error) => {
      failure = error;
    });
    return {
      records,
      actors: [writer, collector(HOUR)],
      async check() {
        expect(failure).toBeUndefined();
        await checkWhole(records);
      },
    };
  }, 2);

  expect(runs).toBeGreaterThan(1000);
});

test.each([
  ["is asked for first", true],
  ["is stored again", false],
])("no second look takes what %s meanwhile", { timeout: 300_000 }, async (_, rely) => {
  const condemned = await withGarbage(true);
  vi.setSystemTime(START + HOUR);
  const runs = await everyInterleaving(async (): Promise<Scenario> => {
    const records = await copyOf(condemned);
    expect((await readCollection(records)).phase).toBe("waiting");
    let failure: Error | undefined;
    const writer = upload(rely, (error) => {
      failure = error;
    });
    return {
      records,
      actors: [writer, collector(HOUR)],
      async check() {
        // One that is told that it was too late stores it again, and nothing is half there.
        if (failure !== undefined) {
          expect(failure).toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|INCOMPLETE)$/) });
          await upload(false, (error) => expect(error).toBeUndefined())(records);
        }
        await checkWhole(records);
      },
    };
  }, 2);

  expect(runs).toBeGreaterThan(1000);
});

/**
 * Stores a blob, by a store that has written before and so may know how far the last collection came, and a root.
 *
 * @param all the same records, where one need not wait for a turn
 */
const uploadBlob =
  (all: RecordStore, onEnd: (error: Error | undefined) => void): Actor =>
  async (records) => {
    try {
      const { blobService } = await open(records);
      await blobService.put(OTHER);
      await blobService.put(LONG);
      const { record } = await readCollection(all);
      const root = ROOTS.put("file", B3Digest.of(LONG).bytes);
      try {
        while (!(await records.write([root], [await claimedWhole(records, fileOf(LONG))]))) {}
      } catch (error) {
        // What was acknowledged is there unless a collection has gone on since.
        expect((await readCollection(all)).record).not.toEqual(record);
        throw error;
      }
      onEnd(undefined);
    } catch (error) {
      onEnd(error as Error);
    }
  };

test("no collection, not even one that waits for nobody, takes chunks from under a blob", {
  timeout: 600_000,
}, async () => {
  vi.setSystemTime(START - HOUR);
  const garbage = new MemoryRecordStore();
  await uploadBlob(garbage, () => {})(garbage);
  await collector(0)(garbage);
  expect((await readCollection(garbage)).phase).toBe("idle");
  await garbage.write([ROOTS.remove("file")]);
  vi.setSystemTime(START);
  const outcomes = { stored: 0, refused: 0 };
  const runs = await everyInterleaving(async (): Promise<Scenario> => {
    const records = await copyOf(garbage);
    let failure: Error | undefined;
    const writer = uploadBlob(records, (error) => {
      failure = error;
    });
    return {
      records,
      actors: [writer, collector(0)],
      async check() {
        if (failure === undefined) outcomes.stored++;
        else {
          outcomes.refused++;
          expect(failure).toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|INCOMPLETE)$/) });
          await uploadBlob(records, (error) => expect(error).toBeUndefined())(records);
        }
        const { blobService } = await open(records);
        const stream = await blobService.read(B3Digest.of(LONG));
        expect(Buffer.compare(await collect(stream ?? [], 1 << 20), LONG)).toBe(0);
      },
    };
  }, 2);

  expect(runs).toBeGreaterThan(1000);
  expect(outcomes.stored).toBeGreaterThan(0);
  expect(outcomes.refused).toBeGreaterThan(0);
});

/** What a read came to: all of it, that it is not there, or an error; anything else is wrong. */
async function outcomeOf(read: () => Promise<boolean | undefined>): Promise<"whole" | "absent" | "missing"> {
  try {
    const isWholeOrAbsent = await read();
    expect(isWholeOrAbsent).not.toBe(false);
    return isWholeOrAbsent === undefined ? "absent" : "whole";
  } catch (error) {
    expect(error).toMatchObject({ code: "INCOMPLETE" });
    return "missing";
  }
}

test("a read beside a collection has all of it, or is told that it is not", {
  timeout: 600_000,
}, async () => {
  const garbage = await withGarbage(false);
  const outcomes = new Set<string>();
  const reader: Actor = async (records) => {
    const { blobService, directoryService } = await open(records);
    for (const bytes of [LONG, SHORT]) {
      const blob = await outcomeOf(async () => {
        const stream = await blobService.read(B3Digest.of(bytes));
        return stream && Buffer.compare(await collect(stream, 1 << 20), bytes) === 0;
      });
      outcomes.add(`blob ${blob}`);
    }
    const chunks = await outcomeOf(async () => {
      const list = await blobService.chunks(B3Digest.of(LONG));
      return list && list.reduce((sum, { size }) => sum + size, 0) === LONG.length;
    });
    outcomes.add(`chunks ${chunks}`);
    const tree = await outcomeOf(async () => {
      const found = await Array.fromAsync(directoryService.getRecursive(PARENT.digest()));
      return found.length === 0 ? undefined : found.length === 2;
    });
    outcomes.add(`tree ${tree}`);
  };
  const runs = await everyInterleaving(async (): Promise<Scenario> => {
    const records = await copyOf(garbage);
    return { records, actors: [reader, collector(0)], check: async () => {} };
  }, 2);

  expect(runs).toBeGreaterThan(1000);
  for (const what of ["blob", "chunks", "tree"]) {
    expect(outcomes).toContain(`${what} whole`);
    expect(outcomes).toContain(`${what} absent`);
  }
});
