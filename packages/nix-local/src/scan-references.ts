import type { ByteStream } from "@tvix/byte-stream";

/** Digits of the hash part of a store path. */
const LENGTH = 32;

const IS_DIGIT: Uint8Array = digitTable("0123456789abcdfghijklmnpqrsvwxyz");

/**
 * Which hash parts of store paths occur in some bytes: what Nix does when it has built a path. Pieces may end
 * anywhere.
 *
 * @param candidates hash parts, 32 digits each; others are not looked for
 */
export async function findReferences(
  bytes: ByteStream,
  candidates: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let tail: Buffer = Buffer.alloc(0);
  for await (const piece of bytes) {
    const joined = Buffer.concat([tail, piece]);
    scan(joined, candidates, found);
    tail = Buffer.from(joined.subarray(Math.max(0, joined.length - (LENGTH - 1))));
  }
  return found;
}

/** Looks from right to left in each window, as most bytes are no digits: then it is skipped as a whole. */
function scan(bytes: Buffer, candidates: ReadonlySet<string>, found: Set<string>): void {
  for (let start = 0; start + LENGTH <= bytes.length; ) {
    let at = LENGTH - 1;
    while (at >= 0 && IS_DIGIT[bytes[start + at] as number] === 1) at--;
    if (at >= 0) {
      start += at + 1;
      continue;
    }
    const text = bytes.toString("latin1", start, start + LENGTH);
    if (candidates.has(text)) found.add(text);
    start++;
  }
}

function digitTable(digits: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const digit of digits) table[digit.charCodeAt(0)] = 1;
  return table;
}
