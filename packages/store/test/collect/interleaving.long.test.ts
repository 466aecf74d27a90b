import { MemoryRecordStore, type RecordStore } from "@tvix/castore";
import { collectGarbage, type Marker } from "@tvix/castore/backend";
import { forgetPath } from "@tvix/store/collect";
import { RecordPathInfoService } from "@tvix/store/records";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Actor, everyInterleaving, type Scenario } from "../../../castore/test/collect/interleaving.ts";
import { Client, pathOf } from "./world.ts";

const START = 1e12;

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: START }));
afterEach(() => vi.useRealTimers());

/** Numbers of the files of a path that is there at first, and of one that is put: one has a list, and they share two. */
const OLD = { path: 0, files: [0, 1] };
const NEW = { path: 1, files: [0, 1, 2] };

/** What an upload may be told while others remove things: it is begun again. */
const AGAIN = expect.stringMatching(/^(UNAVAILABLE|INCOMPLETE)$/);

async function copyOf(records: RecordStore): Promise<RecordStore> {
  const copy = new MemoryRecordStore();
  const entries = await Array.fromAsync(records.entries({ prefix: new Uint8Array(0) }));
  await copy.write(entries.map(([key, value]) => ({ type: "put", key, value })));
  return copy;
}

/** A collection with both looks, one right after the other, in which path infos are the roots. */
const collection: Actor = async (records) => {
  const { openScratch } = (await Client.of(records)).parts;
  const markRoots = async (marker: Marker) => {
    for await (const { node } of new RecordPathInfoService(records).list()) await marker.node(node);
  };
  await collectGarbage({ records, openScratch, markRoots }, { graceMs: 0 });
};

const forgetting: Actor = async (records) => {
  try {
    await forgetPath((await Client.of(records)).parts, pathOf(OLD.path));
  } catch (error) {
    expect(error).toMatchObject({ code: "IN_USE" });
  }
};

/** Whoever is told that a path is stored has all of it, now and after another collection. */
async function checkPath(records: RecordStore, { path }: typeof NEW): Promise<void> {
  const client = await Client.of(records);
  for (let times = 0; times < 2; times++) {
    const info = await client.pathInfos.get(pathOf(path).digest);
    expect(info).toBeDefined();
    if (info !== undefined) expect(await client.isWhole(info.node)).toBe(true);
    await collection(records);
  }
}

test.each([
  ["a collection that waits for nobody, of what was there without a path", false, collection, true],
  ["the same, and nobody asks first", false, collection, false],
  ["somebody who forgets a path that shares contents with it", true, forgetting, true],
  ["the same, and nobody asks first", true, forgetting, false],
] as const)("a path is stored beside %s", { timeout: 600_000 }, async (_, isKept, other, asksFirst) => {
  const before = new MemoryRecordStore();
  const first = await Client.of(before);
  if (isKept) await first.putPath(OLD.path, OLD.files);
  else await first.putContents(OLD.files);
  const outcomes = new Set<string>();
  const runs = await everyInterleaving(async (): Promise<Scenario> => {
    const records = await copyOf(before);
    let failure: unknown;
    const upload: Actor = async (view) => {
      try {
        await (await Client.of(view)).putPath(NEW.path, NEW.files, { asksFirst });
      } catch (error) {
        failure = error;
      }
    };
    return {
      records,
      actors: [upload, other],
      async check() {
        outcomes.add(failure === undefined ? "stored" : "again");
        if (failure !== undefined) {
          expect(failure).toMatchObject({ code: AGAIN });
          await (await Client.of(records)).putPath(NEW.path, NEW.files, { asksFirst });
        }
        await checkPath(records, NEW);
      },
    };
  }, 1);

  console.log(`${runs} orders: ${[...outcomes].join(", ")}`);
  expect(runs).toBeGreaterThan(50);
  expect(outcomes).toContain("stored");
});
