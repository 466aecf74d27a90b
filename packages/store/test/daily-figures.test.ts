import { MemoryRecordStore, type RecordStore } from "@tvix/castore";
import { RecordPathInfoService } from "@tvix/store/records";
import { DailyFigures } from "@tvix/store/stats";
import { fixtures } from "@tvix/store/testing";
import { expect, test } from "vitest";

const DAY = 86_400_000;
const MINUTE = 60_000;
/** The beginning of some day. */
const START = 20_000 * DAY;

async function counted(records: RecordStore, moments: readonly number[]): Promise<boolean[]> {
  const figures = new DailyFigures(records);
  const done: boolean[] = [];
  for (const moment of moments) done.push(await figures.count(moment));
  return done;
}

test("a store is counted once a day, by whoever is first", async () => {
  const records = new MemoryRecordStore();
  await new RecordPathInfoService(records).put(fixtures.PATH_INFO_SYMLINK);
  const late = START + DAY - 30 * MINUTE;
  expect(await counted(records, [late, late + MINUTE, late + 31 * MINUTE, late + DAY])).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect(await new DailyFigures(records).list()).toMatchObject([
    { time: late, paths: 1, narBytes: 136 },
    { time: late + 31 * MINUTE, paths: 1 },
  ]);
});

test("while somebody counts nobody else does; whoever does not finish keeps others from it for an hour", async () => {
  const records = new MemoryRecordStore();
  const both = Array.from({ length: 5 }, () => new DailyFigures(records).count(START));
  expect((await Promise.all(both)).filter(Boolean)).toHaveLength(1);
  // As a process leaves it that is killed.
  const key = Buffer.from("m1counting-since");
  await records.write([{ type: "put", key, value: Buffer.from(String(START + DAY)) }]);
  expect(await counted(records, [START + DAY + MINUTE, START + DAY + 61 * MINUTE])).toEqual([false, true]);
  expect(await records.has(key)).toBe(false);
});

test("the last two years are kept, wherever the clock has been meanwhile", async () => {
  const records = new MemoryRecordStore();
  const days = Array.from({ length: 800 }, (_, day) => START + day * DAY);
  expect(await counted(records, [START + 100_000 * DAY, ...days])).not.toContain(false);
  const kept = await new DailyFigures(records).list();
  expect(kept).toHaveLength(730);
  expect(kept.at(-2)?.time).toBe(START + 799 * DAY);
});
