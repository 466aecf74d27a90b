import type { Random } from "../survive/random.ts";

/** Numbers at which parsers make mistakes, in eight bytes. */
const NUMBERS = [
  0n,
  1n,
  31n,
  255n,
  256n,
  4095n,
  4096n,
  65_535n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n + 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const BYTES = [0, 1, 9, 10, 13, 32, 46, 47, 58, 61, 127, 128, 192, 237, 255];

/** Longest input that is made. */
const MOST_BYTES = 1 << 16;

/** Another input, made of known ones by some changes. */
export function mutate(pool: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = Buffer.from(random.pick(pool));
  for (let changes = 1 + random.below(6); changes > 0; changes--) bytes = change(bytes, pool, random);
  return bytes.subarray(0, MOST_BYTES);
}

function change(
  bytes: Buffer<ArrayBuffer>,
  pool: readonly Uint8Array[],
  random: Random,
): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.pick([1, 8, 64, 4096])));
  switch (random.below(9)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(BYTES);
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random.pick(BYTES)]), bytes.subarray(at)]);
    case 6:
      return withNumber(bytes, at, random);
    case 7: {
      const other = random.pick(pool);
      const from = random.below(other.length + 1);
      return Buffer.concat([
        bytes.subarray(0, at),
        other.subarray(from, from + 1 + random.below(512)),
        bytes.subarray(end),
      ]);
    }
    default: {
      const other = random.pick(pool);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(Math.min(at, other.length))]);
    }
  }
}

/** The same with a number written over some of it, in either order of bytes, long or short. */
function withNumber(bytes: Buffer<ArrayBuffer>, at: number, random: Random): Buffer<ArrayBuffer> {
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(random.pick(NUMBERS));
  const part = number.subarray(0, random.pick([2, 4, 8]));
  (random.below(2) === 0 ? part : part.reverse()).copy(
    bytes,
    Math.max(0, Math.min(at, bytes.length - part.length)),
  );
  return bytes;
}
