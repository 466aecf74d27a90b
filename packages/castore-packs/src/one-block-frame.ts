const FRAME_MAGIC = 0xfd2fb528;
const BLOCK_HEAD_BYTES = 3;
const RLE_BLOCK = 1;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/**
 * Whether bytes are one zstd frame of one block, from its first byte to its last: a decoder that was given such a
 * frame waits for nothing more, and has made at most 128 KiB of it. What the block holds is not looked at.
 *
 * Source: RFC 8878, sections 3.1.1.1 (frame header) and 3.1.1.2 (blocks).
 */
export function isOneBlockFrame(bytes: Uint8Array): boolean {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5 || words.getUint32(0, true) !== FRAME_MAGIC) return false;
  const descriptor = words.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag;
  const windowBytes = isSingleSegment ? 0 : 1;
  const blockAt = 5 + windowBytes + (DICTIONARY_ID_BYTES[descriptor & 3] as number) + sizeBytes;
  if (bytes.length < blockAt + BLOCK_HEAD_BYTES) return false;
  const head = words.getUint16(blockAt, true) | (words.getUint8(blockAt + 2) << 16);
  const isLast = (head & 1) !== 0;
  const length = ((head >> 1) & 3) === RLE_BLOCK ? 1 : head >> 3;
  const checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
  return isLast && blockAt + BLOCK_HEAD_BYTES + length + checksumBytes === bytes.length;
}
