import { type ByteStream, concatBytes } from "@tvix/byte-stream";

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
 * @throws Error for what is no frame, and for a stream that ends inside one
 */
export async function* cutAtFrames(source: ByteStream): ByteStream {
  const reader = new FrameReader(source);
  while (await reader.has(1)) {
    const magic = words(await reader.peek(4)).getUint32(0, true);
    if (magic === FRAME_MAGIC) yield* frame(reader);
    else if ((magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC) yield* skippable(reader);
    else throw new Error("not a zstd frame");
  }
}

async function* frame(reader: FrameReader): ByteStream {
  const descriptor = (await reader.peek(5))[4] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  yield* reader.take(5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes);
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

async function* skippable(reader: FrameReader): ByteStream {
  const length = words(await reader.peek(8)).getUint32(4, true);
  yield* reader.take(8 + length);
}

/** Reads ahead as far as a head needs, and passes on pieces as they come. */
class FrameReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether so many bytes are left. */
  async has(length: number): Promise<boolean> {
    while (this.#held.length < length) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#held = this.#held.length === 0 ? next.value : concatBytes([this.#held, next.value]);
    }
    return true;
  }

  /** The next bytes, which stay. */
  async peek(length: number): Promise<Uint8Array> {
    if (!(await this.has(length))) throw new Error("the stream ends inside a frame");
    return this.#held.subarray(0, length);
  }

  /** The next bytes, in pieces. */
  async *take(length: number): ByteStream {
    for (let left = length; left > 0; ) {
      await this.peek(1);
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
}

function words(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
