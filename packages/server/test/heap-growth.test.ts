import { describe, expect, test } from "vitest";
import { heapGrowthPercent } from "../src/cli/heap-growth.ts";

const MIB = 1 << 20;

describe("how much the heap may grow", () => {
  test("as much as there is room, as a part of what is alive", () => {
    expect(heapGrowthPercent(120 * MIB, 250 * MIB)).toBe(60);
    expect(heapGrowthPercent(150 * MIB, 250 * MIB)).toBe(28);
  });

  test("not many times over", () => {
    expect(heapGrowthPercent(25 * MIB, 150 * MIB)).toBe(100);
  });

  test("a little where there is no room left, so that it does not collect all the time", () => {
    expect(heapGrowthPercent(180 * MIB, 290 * MIB)).toBe(10);
    expect(heapGrowthPercent(700 * MIB, 900 * MIB)).toBe(10);
  });

  test("a little where the process has a lot of memory, whatever is alive", () => {
    expect(heapGrowthPercent(50 * MIB, 399 * MIB)).toBe(100);
    expect(heapGrowthPercent(50 * MIB, 401 * MIB)).toBe(10);
  });
});
