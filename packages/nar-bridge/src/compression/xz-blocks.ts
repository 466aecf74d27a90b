import type { ByteStream } from "@tvix/byte-stream";
import { HeadReader } from "./head-reader.ts";

const STREAM_MAGIC = "fd377a585a00";
const STREAM_HEAD_BYTES = 12;
const STREAM_FOOT_BYTES = 12;
const LZMA2 = 0x21;

/** Bytes of the check behind each block, by its type in the stream's head. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * The same bytes of an xz stream, with the dictionary of each block told before the block is passed on.
 * Whatever is no xz stream is passed on as well: the decoder says what is wrong.
 *
 * Source: The .xz File Format 1.2.1; the LZMA2 chunks as XZ for Java and xz document them.
 *
 * @param onDictionary its length in bytes
 */
export async function* watchXzBlocks(
  source: ByteStream,
  onDictionary: (bytes: number) => Promise<void>,
): ByteStream {
  const reader = new HeadReader(source);
  while (await reader.has(STREAM_HEAD_BYTES)) {
    const head = await reader.peek(STREAM_HEAD_BYTES);
    if (!Buffer.from(head).toString("hex").startsWith(STREAM_MAGIC)) break;
    const checkBytes = CHECK_BYTES[(head[7] as number) & 0xf] as number;
    yield* reader.take(STREAM_HEAD_BYTES);
    while ((await reader.has(1)) && (await reader.peek(1))[0] !== 0) {
      yield* block(reader, checkBytes, onDictionary);
    }
    yield* index(reader);
    yield* reader.take(STREAM_FOOT_BYTES);
    // Streams may follow each other, with padding of four zeros between them.
    while ((await reader.has(4)) && (await reader.peek(4)).every((byte) => byte === 0)) yield* reader.take(4);
  }
  yield* reader.rest();
}

async function* block(
  reader: HeadReader,
  checkBytes: number,
  onDictionary: (bytes: number) => Promise<void>,
): ByteStream {
  const headBytes = 4 * (((await reader.peek(1))[0] as number) + 1);
  await onDictionary(dictionaryOf(await reader.peek(headBytes)));
  yield* reader.take(headBytes);
  let length = 0;
  for (;;) {
    const control = (await reader.peek(1))[0] as number;
    const chunk =
      control === 0 ? 1 : control < 0x80 ? await plainChunk(reader) : await packedChunk(reader, control);
    length += chunk;
    yield* reader.take(chunk);
    if (control === 0) break;
  }
  yield* reader.take(((4 - (length % 4)) % 4) + checkBytes);
}

async function plainChunk(reader: HeadReader): Promise<number> {
  const [, high = 0, low = 0] = await reader.peek(3);
  return 3 + ((high << 8) | low) + 1;
}

async function packedChunk(reader: HeadReader, control: number): Promise<number> {
  const head = await reader.peek(5);
  const packed = (((head[3] as number) << 8) | (head[4] as number)) + 1;
  // Above this, the chunk sets new properties: one more byte.
  return (control >= 0xc0 ? 6 : 5) + packed;
}

/** What the LZMA2 filter of a block says; other filters need next to nothing. */
function dictionaryOf(head: Uint8Array): number {
  const flags = head[1] as number;
  let at = 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = head[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  if ((flags & 0x40) !== 0) number();
  if ((flags & 0x80) !== 0) number();
  for (let filters = (flags & 3) + 1; filters > 0 && at < head.length; filters--) {
    const id = number();
    const size = number();
    if (id === LZMA2) return dictionaryOfBits(head[at] ?? 0);
    at += size;
  }
  return 0;
}

/** 2 or 3 times a power of two; 40 stands for one byte less than 4 GiB. */
function dictionaryOfBits(bits: number): number {
  return bits >= 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11);
}

/** The index: its length follows from its records. */
async function* index(reader: HeadReader): ByteStream {
  let length = 1;
  yield* reader.take(1);
  async function* number(out: { value: number }): ByteStream {
    out.value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = (await reader.peek(1))[0] as number;
      yield* reader.take(1);
      length++;
      out.value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return;
    }
  }
  const records = { value: 0 };
  yield* number(records);
  for (let left = 2 * records.value; left > 0; left--) yield* number({ value: 0 });
  yield* reader.take(((4 - (length % 4)) % 4) + 4);
}
