/** Most bytes of a block. */
const BLOCK_MAX_BYTES = 128 << 10;

const BLOCK_HEAD_BYTES = 3;

/** Longest contents that {@link writeRawFrame} takes: decoders need as much memory at once. */
export const RAW_FRAME_MAX_BYTES: number = 8 << 20;

/**
 * Length of the zstd frame that holds so many bytes as they are.
 *
 * @param length of the contents, from 1 to {@link RAW_FRAME_MAX_BYTES}
 */
export function rawFrameLength(length: number): number {
  return headLength(length) + Math.ceil(length / BLOCK_MAX_BYTES) * BLOCK_HEAD_BYTES + length;
}

/**
 * Writes a zstd frame that holds bytes as they are into a longer array. The same contents always give the same frame,
 * whatever version of a compressor is at hand.
 *
 * Source: RFC 8878, sections 3.1.1.1 and 3.1.1.2: a single segment with its content size,
 * without a checksum, of raw blocks.
 *
 * @returns the place behind it
 * @throws RangeError for no contents, for more than {@link RAW_FRAME_MAX_BYTES}, and where there is no room for it
 */
export function writeRawFrame(contents: Uint8Array, frame: Uint8Array, from: number): number {
  const { length } = contents;
  if (length === 0 || length > RAW_FRAME_MAX_BYTES) throw new RangeError(`no frame holds ${length} bytes`);
  let at = writeHead(frame, from, length);
  for (let start = 0; start < length; start += BLOCK_MAX_BYTES) {
    const end = Math.min(length, start + BLOCK_MAX_BYTES);
    const isLast = end === length ? 1 : 0;
    // Type 0 is raw; the size begins at bit 3.
    const blockHead = isLast | ((end - start) << 3);
    frame[at++] = blockHead & 0xff;
    frame[at++] = (blockHead >> 8) & 0xff;
    frame[at++] = blockHead >> 16;
    frame.set(contents.subarray(start, end), at);
    at += end - start;
  }
  return at;
}

/** Magic number, descriptor, and the content size in one, two or four bytes. */
function headLength(length: number): number {
  return 5 + (length < 256 ? 1 : length < 65_536 + 256 ? 2 : 4);
}

function writeHead(frame: Uint8Array, from: number, length: number): number {
  const words = new DataView(frame.buffer, frame.byteOffset + from);
  words.setUint32(0, 0xfd2fb528, true);
  const end = headLength(length);
  const sizeFlag = end === 6 ? 0 : end === 7 ? 1 : 2;
  // Bit 5: a single segment, whose window is its content.
  words.setUint8(4, (sizeFlag << 6) | 0x20);
  if (sizeFlag === 0) words.setUint8(5, length);
  else if (sizeFlag === 1) words.setUint16(5, length - 256, true);
  else words.setUint32(5, length, true);
  return from + end;
}
