import { B3Digest } from "@tvix/castore";
import type { ChunkPlacement } from "@tvix/castore/backend";
import { expect, test } from "vitest";
import { readRuns } from "../src/read-runs.ts";
import { RECORD_HEAD_BYTES } from "../src/record.ts";

function placement(extent: number, offset: number, storedLength: number): ChunkPlacement {
  const location = { extent, offset, storedLength, size: storedLength, encoding: "raw" as const };
  return { digest: B3Digest.of(new Uint8Array(0)), location };
}

test("what lies close together is one run, whatever the order; what is far away, or of another pack, is not", () => {
  const wanted = [
    placement(2, 0, 10),
    placement(1, 90_000, 100),
    placement(1, 10, 20),
    placement(1, 5000, 5),
  ];
  expect(readRuns(wanted)).toEqual([
    { extent: 1, start: 10, end: 5000 + RECORD_HEAD_BYTES + 5, members: [2, 3] },
    { extent: 1, start: 90_000, end: 90_000 + RECORD_HEAD_BYTES + 100, members: [1] },
    { extent: 2, start: 0, end: RECORD_HEAD_BYTES + 10, members: [0] },
  ]);
});

test("a run is 704 KiB at most, but for one record that is longer; the same record twice is read once", () => {
  const long = placement(1, 0, 3 << 20);
  const parts = Array.from({ length: 30 }, (_, index) => placement(2, index * 95_000, 90_000));
  const runs = readRuns([...parts, long, ...parts]);
  expect(runs.map(({ end, start }) => end - start)).toEqual([
    (3 << 20) + RECORD_HEAD_BYTES,
    660_052,
    660_052,
    660_052,
    660_052,
    185_052,
  ]);
  expect(runs.flatMap(({ members }) => members).length).toBe(61);
});
