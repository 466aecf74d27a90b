import { MemoryRecordStore } from "@tvix/castore";
import { testRecordStore } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { UnhurriedRecordStore } from "../src/records/unhurried-record-store.ts";
import { testAnyWrites } from "./any-writes.ts";

const overMemory = async () => ({ records: new UnhurriedRecordStore(new MemoryRecordStore()) });
testRecordStore("unhurried, over memory", overMemory);
testAnyWrites("unhurried, over memory", overMemory);

/** Something that takes a few turns of the event loop, and a little in each. */
async function request(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    const end = performance.now() + 0.5;
    while (performance.now() < end);
  }
}

test("whoever comes meanwhile is done with before the next records are looked at", async () => {
  let read = 0;
  class Counting extends MemoryRecordStore {
    override async getMany(keys: readonly Uint8Array[]) {
      read += keys.length;
      return await super.getMany(keys);
    }
  }
  const keys = Array.from({ length: 10_000 }, (_, number) => Uint8Array.of(number >> 8, number & 255));
  const reading = new UnhurriedRecordStore(new Counting()).getMany(keys);
  const seen: number[] = [];
  for (let count = 0; count < 5; count++) {
    const before = read;
    await request();
    seen.push(read - before);
  }
  await reading;
  // What was about to be read when it came, and what it left time for in its first turn.
  for (const records of seen) expect(records).toBeLessThanOrEqual(300);
  expect(read).toBe(10_000);
});
