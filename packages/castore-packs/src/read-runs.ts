import type { ChunkPlacement } from "@tvix/castore/backend";
import { RECORD_HEAD_BYTES } from "./record.ts";

/** Bytes between two records that are read and dropped rather than read around: a system call takes about as long. */
const GAP_BYTES = 8 << 10;

/** Bytes that are read at once, at most; one longer record is read by itself. */
export const RUN_BYTES: number = 704 << 10;

/** Records of one pack that are read at once. */
export interface ReadRun {
  readonly extent: number;
  readonly start: number;
  readonly end: number;
  /** Which of those that are wanted it has, in the order of their places. */
  readonly members: readonly number[];
}

/** Puts records together that lie close to each other, in whatever order they are wanted. */
export function readRuns(wanted: readonly ChunkPlacement[]): readonly ReadRun[] {
  const placeOf = (index: number) => (wanted[index] as ChunkPlacement).location;
  const inOrder = [...wanted.keys()].sort((one, other) => {
    const [a, b] = [placeOf(one), placeOf(other)];
    return a.extent - b.extent || a.offset - b.offset;
  });
  const runs: { extent: number; start: number; end: number; members: number[] }[] = [];
  for (const index of inOrder) {
    const { extent, offset, storedLength } = placeOf(index);
    const end = offset + RECORD_HEAD_BYTES + storedLength;
    const last = runs.at(-1);
    if (last?.extent === extent && offset <= last.end + GAP_BYTES && end - last.start <= RUN_BYTES) {
      last.end = Math.max(last.end, end);
      last.members.push(index);
    } else {
      runs.push({ extent, start: offset, end, members: [index] });
    }
  }
  return runs;
}
