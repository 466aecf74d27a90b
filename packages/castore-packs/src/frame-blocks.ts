const FRAME_MAGIC = 0xfd2fb528;
const BLOCK_HEAD_BYTES = 3;
const RLE_BLOCK = 1;
const SINGLE_SEGMENT = 0x20;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/** Most bytes that come out of one block. */
export const BLOCK_MAX_BYTES: number = 128 << 10;

/**
 * The number of blocks of a zstd frame; undefined for bytes that are not exactly one frame, from the first to the last: a
 * decoder that was given a frame waits for nothing more. What the blocks hold is not looked at.
 *
 * Source: RFC 8878, sections 3.1.1.1 (frame header) and 3.1.1.2 (blocks).
 */
export function frameBlocks(bytes: Uint8Array): number | undefined {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5 || words.getUint32(0, true) !== FRAME_MAGIC) return undefined;
  const descriptor = words.getUint8(4);
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingle) : 1 << sizeFlag;
  const windowBytes = isSingle ? 0 : 1;
  let at = 5 + windowBytes + (DICTIONARY_ID_BYTES[descriptor & 3] as number) + sizeBytes;
  let blocks = 0;
  for (let isLast = false; !isLast; blocks++) {
    if (at + BLOCK_HEAD_BYTES > bytes.length) return undefined;
    const head = words.getUint16(at, true) | (words.getUint8(at + 2) << 16);
    isLast = (head & 1) !== 0;
    at += BLOCK_HEAD_BYTES + (((head >> 1) & 3) === RLE_BLOCK ? 1 : head >> 3);
  }
  const checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
  return at + checksumBytes === bytes.length ? blocks : undefined;
}

/** Whether the window of a zstd frame is its contents: a decoder that has room for these needs no more memory. */
export function isSingleSegment(frame: Uint8Array): boolean {
  return ((frame[4] ?? 0) & SINGLE_SEGMENT) !== 0;
}
