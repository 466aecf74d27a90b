import { Code, ConnectError } from "@connectrpc/connect";
import { concatBytes } from "@tvix/byte-stream";
import { B3_DIGEST_LENGTH, B3Digest, CastoreError } from "@tvix/castore";

/**
 * Many byte strings as two fields of a message: a list of them would become an object for every two bytes that
 * somebody sends.
 */
export interface Joined {
  readonly contents: Uint8Array;
  readonly lengths: number[];
}

/** Byte strings, one behind the other. */
export function join(parts: readonly Uint8Array[]): Joined {
  return { contents: concatBytes(parts), lengths: parts.map(({ length }) => length) };
}

/**
 * Each of them, as views.
 *
 * @param most how many there may be
 * @throws CastoreError TOO_LARGE for more; ConnectError INVALID_ARGUMENT when the lengths are not those of the contents
 */
export function split({ contents, lengths }: Joined, most: number): readonly Uint8Array[] {
  if (lengths.length > most) throw tooMany(lengths.length, most);
  let end = 0;
  const parts = lengths.map((length) => {
    end += length;
    return contents.subarray(end - length, end);
  });
  if (end === contents.length) return parts;
  const text = `lengths: they make ${end} bytes, and contents has ${contents.length}`;
  throw new ConnectError(text, Code.InvalidArgument);
}

/** Digests, one behind the other. */
export function joinDigests(digests: Iterable<B3Digest>): Uint8Array {
  return concatBytes(Array.from(digests, ({ bytes }) => bytes));
}

/**
 * Each of them once.
 *
 * @param most how many there may be, repetitions included
 * @throws CastoreError TOO_LARGE for more, INVALID_DIGEST for what is no whole number of digests
 */
export function distinctDigests(joined: Uint8Array, most: number): readonly B3Digest[] {
  const count = Math.ceil(joined.length / B3_DIGEST_LENGTH);
  if (count > most) throw tooMany(count, most);
  const distinct = new Map<string, B3Digest>();
  for (const digest of splitDigests(joined)) distinct.set(digest.key, digest);
  return [...distinct.values()];
}

/** Each of them. @throws CastoreError INVALID_DIGEST for what is no whole number of digests */
export function splitDigests(joined: Uint8Array): readonly B3Digest[] {
  const count = Math.ceil(joined.length / B3_DIGEST_LENGTH);
  return Array.from({ length: count }, (_, index) => {
    const start = index * B3_DIGEST_LENGTH;
    return B3Digest.from(joined.subarray(start, start + B3_DIGEST_LENGTH), `digests[${index}]`);
  });
}

function tooMany(count: number, most: number): CastoreError {
  return new CastoreError("TOO_LARGE", `${count} in one batch, the limit is ${most}`);
}
