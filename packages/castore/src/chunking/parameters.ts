/** Bounds of chunk lengths, in bytes. */
export interface ChunkSizes {
  /** No chunk but the last is shorter. Even, from 64 to 1 MiB. */
  readonly min: number;
  /** The length aimed at: a power of two, from 256 to 4 MiB. */
  readonly avg: number;
  /** No chunk is longer. From 1 KiB to 16 MiB. */
  readonly max: number;
}

/** 128, 256 and 512 KiB: the sizes of tvix, so that cut points equal those of its stores. */
export const DEFAULT_CHUNK_SIZES: ChunkSizes = { min: 131_072, avg: 262_144, max: 524_288 };

/** Masks by the number of bits they have set, from 5 on (FastCDC v2020, table of `fastcdc-rs`). */
// biome-ignore format: a table
const MASKS_FROM_5_BITS: readonly bigint[] = [
  0x1804110n, 0x1803110n, 0x18035100n, 0x1800035300n, 0x19000353000n, 0x590003530000n,
  0xd90003530000n, 0xd90103530000n, 0xd90303530000n, 0xd90313530000n, 0xd90f03530000n,
  0xd90303537000n, 0xd90703537000n, 0xd90707537000n, 0xd91707537000n, 0xd91747537000n,
  0xd91767537000n, 0xd93767537000n, 0xd93777537000n, 0xd93777577000n, 0xdb3777577000n,
];

/** The two masks of normalisation level 1: harder to fit before the average, easier after it. */
export function masksFor(avg: number): { beforeAverage: bigint; afterAverage: bigint } {
  const bits = Math.round(Math.log2(avg));
  const beforeAverage = MASKS_FROM_5_BITS[bits + 1 - 5];
  const afterAverage = MASKS_FROM_5_BITS[bits - 1 - 5];
  if (beforeAverage === undefined || afterAverage === undefined) {
    throw new RangeError(`avg must lie between 256 and 4194304, got ${avg}`);
  }
  return { beforeAverage, afterAverage };
}

/**
 * @throws RangeError when a length is not a whole number within its bounds, or they are out of order
 */
export function checkChunkSizes({ min, avg, max }: ChunkSizes): void {
  checkLength("min", min, 64, 1 << 20);
  checkLength("avg", avg, 256, 4 << 20);
  checkLength("max", max, 1024, 16 << 20);
  if (min > avg || avg > max) {
    throw new RangeError(`chunk sizes must rise from min to avg to max, got ${min}, ${avg}, ${max}`);
  }
}

function checkLength(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, got ${value}`);
  }
}
