import type { B3Digest } from "../digest/b3-digest.ts";

/** Of which chunks the bytes are read: all, none, the n-th of t parts, or a random part of so many percent. */
export type DataSample =
  | "all"
  | "none"
  | { readonly part: number; readonly of: number }
  | { readonly percent: number };

const RANGE = 2 ** 32;

/** Whether a chunk is in a sample; digests are spread evenly. */
export function sampler(sample: DataSample): (digest: B3Digest) => boolean {
  if (sample === "all" || sample === "none") return () => sample === "all";
  if ("part" in sample) return (digest) => placeOf(digest) % sample.of === sample.part - 1;
  // Another part each time, so that in time all is read.
  const start = Math.floor(Math.random() * RANGE);
  return (digest) => (placeOf(digest) + start) % RANGE < (RANGE * sample.percent) / 100;
}

function placeOf({ bytes }: B3Digest): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}
