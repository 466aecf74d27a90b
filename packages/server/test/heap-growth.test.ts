import { describe, expect, test } from "vitest";
import { heapGrowthPercent } from "../src/cli/heap-growth.ts";

const MIB = 1 << 20;

/** What the process says of its memory, in MiB. */
function usage(rss: number, heapUsed: number, external: number) {
  return { rss: rss * MIB, heapUsed: heapUsed * MIB, external: external * MIB };
}

describe("how much the heap may grow", () => {
  test("as much as there is room, as a part of what it holds", () => {
    expect(heapGrowthPercent(usage(250, 40, 60))).toBe(50);
    expect(heapGrowthPercent(usage(270, 40, 60))).toBe(30);
  });

  test("never more than it holds", () => {
    expect(heapGrowthPercent(usage(100, 20, 5))).toBe(100);
  });

  test("a little where there is no room left, so that it does not collect all the time", () => {
    expect(heapGrowthPercent(usage(299, 40, 60))).toBe(20);
    expect(heapGrowthPercent(usage(900, 400, 300))).toBe(20);
  });
});
