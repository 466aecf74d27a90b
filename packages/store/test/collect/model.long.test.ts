import { MemoryRecordStore } from "@tvix/castore";
import { Database } from "@tvix/castore-level";
import fc from "fast-check";
import { MemoryLevel } from "memory-level";
import { test } from "vitest";
import { moments, runMoments, withTimeOfTests } from "./model.ts";

withTimeOfTests();

test.each([
  ["in memory", () => new MemoryRecordStore()],
  ["in LevelDB's interface", () => new Database(new MemoryLevel())],
])(
  "whatever two do at once, nothing that is reached is lost, and the rest goes: %s",
  { timeout: 300_000 },
  async (_, make) => {
    const run = async (all: Parameters<typeof runMoments>[1]) => {
      const records = make();
      await runMoments([records, records], all);
    };
    await fc.assert(fc.asyncProperty(moments, run), { numRuns: 60 });
  },
);
