import { expect, test } from "vitest";
import { QuietHeap } from "../src/cli/quiet-heap.ts";

const MIB = 1 << 20;

/** After how many readings it was time to look for garbage. */
function timesOf(heap: QuietHeap, readings: readonly number[]): number[] {
  return readings.flatMap((mib, index) => (heap.note(mib * MIB) ? [index] : []));
}

const quiet = (mib: number) => Array.from({ length: 100 }, (_, index) => mib + (index % 4));

test("a heap that has grown is looked at once in each quiet time", () => {
  const heap = new QuietHeap();
  expect(timesOf(heap, quiet(40))).toEqual([]);
  expect(timesOf(heap, quiet(240))).toEqual([29]);
  expect(timesOf(heap, quiet(240))).toEqual([]);
  // Part of it has gone by itself, and another part may be garbage.
  expect(timesOf(heap, quiet(140))).toEqual([29]);
  // It was.
  expect(timesOf(heap, quiet(45))).toEqual([]);
  expect(timesOf(heap, quiet(80))).toEqual([29]);
});

test("one in which things come and go is left alone", () => {
  const heap = new QuietHeap();
  const busy = Array.from({ length: 1000 }, (_, index) => 40 + 10 * (index % 20));
  expect(timesOf(heap, busy)).toEqual([]);
});

test("a little more is not worth it", () => {
  const heap = new QuietHeap();
  expect(timesOf(heap, [...quiet(40), ...quiet(60)])).toEqual([]);
});
