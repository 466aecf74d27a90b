/** Small pieces come out of blocks of this many bytes. */
const BLOCK_BYTES = 32 << 10;

/** A longer piece has memory of its own. */
const LONGEST_SMALL = 2 << 10;

let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/**
 * Memory for a key or a record that is written and forgotten. It lies in a block with others,
 * because memory of its own for every small piece keeps the garbage collector busy; so a piece
 * that is kept keeps its block. Its bytes may be anything.
 */
export function allocateShortLived(length: number): Uint8Array {
  if (length > LONGEST_SMALL) return new Uint8Array(length);
  if (used + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  return block.subarray(start, used);
}
