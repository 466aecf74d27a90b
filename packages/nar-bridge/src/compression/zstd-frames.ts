import type { ByteStream } from "@tvix/byte-stream";
import { HeadReader } from "./head-reader.ts";

/** First bytes of a frame; of a frame that decoders skip, the lowest four bits differ. */
const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

const BLOCK_HEAD_BYTES = 3;
const RLE_BLOCK = 1;

/**
 * Cuts a zstd stream into pieces that never go beyond the end of a frame. Node's decoder drops
 * what follows a frame in the same piece, and goes on with the next piece.
 *
 * Source: RFC 8878, sections 3.1.1 (frames and blocks) and 3.1.2 (skippable frames).
 *
 * @param onWindow told how much the decoder has to hold, in bytes, before a frame is passed on
 * @throws Error for what is no frame, and for a stream that ends inside one
 */
export async function* cutAtFrames(
  source: ByteStream,
  onWindow: (bytes: number) => Promise<void>,
): ByteStream {
  const reader = new HeadReader(source);
  while (await reader.has(1)) {
    const magic = words(await reader.peek(4)).getUint32(0, true);
    if (magic === FRAME_MAGIC) yield* frame(reader, onWindow);
    else if ((magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC) yield* skippable(reader);
    else throw new Error("not a zstd frame");
  }
}

async function* frame(reader: HeadReader, onWindow: (bytes: number) => Promise<void>): ByteStream {
  const descriptor = (await reader.peek(5))[4] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const headBytes = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  await onWindow(windowOf(await reader.peek(headBytes), isSingleSegment, sizeBytes));
  yield* reader.take(headBytes);
  for (let isLast = false; !isLast; ) {
    const [low, middle, high] = (await reader.peek(BLOCK_HEAD_BYTES)) as unknown as [number, number, number];
    const head = low | (middle << 8) | (high << 16);
    isLast = (head & 1) !== 0;
    const length = ((head >> 1) & 3) === RLE_BLOCK ? 1 : head >> 3;
    yield* reader.take(BLOCK_HEAD_BYTES + length);
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield* reader.take(4);
}

/** What the head of a frame asks for: a window, or the whole of its content. */
function windowOf(head: Uint8Array, isSingleSegment: boolean, sizeBytes: number): number {
  if (!isSingleSegment) {
    const descriptor = head[5] as number;
    const base = 2 ** (10 + (descriptor >> 3));
    return base + (base / 8) * (descriptor & 7);
  }
  let size = sizeBytes === 2 ? 256 : 0;
  for (let index = 0; index < sizeBytes; index++) {
    size += (head[head.length - sizeBytes + index] as number) * 2 ** (8 * index);
  }
  return size;
}

async function* skippable(reader: HeadReader): ByteStream {
  const length = words(await reader.peek(8)).getUint32(4, true);
  yield* reader.take(8 + length);
}

function words(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
