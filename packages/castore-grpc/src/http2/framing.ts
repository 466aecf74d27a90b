import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ByteReader, concatBytes, StreamEndedError } from "@tvix/byte-stream";
import { type MemoryLedger, UNLIMITED_MEMORY } from "@tvix/castore";
import { allocateShortLived } from "@tvix/castore/backend";
import { BlobChunkSchema } from "@tvix/protocol/tvix/castore";

/**
 * gRPC over HTTP/2 frames each message with a flag (u8: 1 when compressed) and its length
 * (u32, big-endian).
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
const FRAME_HEAD_BYTES = 5;

/** Tag of field 1 with a length in front of its bytes: `BlobChunk.data`. */
const DATA_TAG = 0x0a;

/** What goes in front of a message of this length. */
export function frameHead(length: number): Uint8Array {
  const head = allocateShortLived(FRAME_HEAD_BYTES);
  writeFrameHead(head, length);
  return head;
}

/** A message with what goes in front of it. */
export function framedMessage(message: Uint8Array): Uint8Array {
  const framed = allocateShortLived(FRAME_HEAD_BYTES + message.length);
  writeFrameHead(framed, message.length);
  framed.set(message, FRAME_HEAD_BYTES);
  return framed;
}

function writeFrameHead(target: Uint8Array, length: number): void {
  target[0] = 0;
  target[1] = length >>> 24;
  target[2] = length >>> 16;
  target[3] = length >>> 8;
  target[4] = length;
}

/**
 * The messages of a body, each whole.
 *
 * @param maxBytes a longer message is refused as soon as its length is known
 * @throws ConnectError RESOURCE_EXHAUSTED for a message that is too long, UNIMPLEMENTED for a
 *   compressed one, INVALID_ARGUMENT when the body ends within a message
 */
export async function* readMessages(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(body);
  try {
    while (!(await reader.atEnd())) yield await whole(reader, await readFrameHead(reader, maxBytes));
  } finally {
    await reader.close();
  }
}

/**
 * The message of a request that consists of one.
 *
 * @throws ConnectError INVALID_ARGUMENT when there is another number of them
 */
export async function onlyMessage(messages: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const message of messages) {
    if (only !== undefined)
      throw new ConnectError("more than one message in the request", Code.InvalidArgument);
    only = message;
  }
  if (only === undefined) throw new ConnectError("no message in the request", Code.InvalidArgument);
  return only;
}

/**
 * The message of a body that is there as a whole.
 *
 * @throws ConnectError INTERNAL when it is not exactly one message
 */
export function decodeOnlyMessage(body: Uint8Array): Uint8Array {
  if (onlyMessageLength(body) !== undefined) return body.subarray(FRAME_HEAD_BYTES);
  throw new ConnectError("the response is not one message", Code.Internal);
}

/** How messages are read that are put together. */
export interface ReadBlobDataOptions {
  /** Longest message, in bytes. */
  readonly maxBytes: number;
  /** What a message draws on that has more in it than data. Default: whatever it needs. */
  readonly memory?: MemoryLedger | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The data of the BlobChunk messages of a body, as it arrives: messages are not put together unless
 * they have more in them than data.
 *
 * @throws ConnectError as {@link readMessages}; CastoreError TOO_BUSY when there is no memory for one
 */
export async function* readBlobData(
  body: AsyncIterable<Uint8Array>,
  options: ReadBlobDataOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(body);
  try {
    while (!(await reader.atEnd())) {
      yield* readMessageData(reader, await readFrameHead(reader, options.maxBytes), options);
    }
  } finally {
    await reader.close();
  }
}

/** The data of one BlobChunk message of a length. */
async function* readMessageData(
  reader: ByteReader,
  length: number,
  { memory = UNLIMITED_MEMORY, signal }: ReadBlobDataOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const start = await whole(reader, Math.min(length, FIELD_HEAD_BYTES));
  const dataAt = wholeMessageDataAt(start, length);
  if (dataAt === undefined) {
    // It comes in pieces, and is put together.
    const held = await memory.hold(2 * length, "a message", { signal });
    try {
      yield decodeBlobChunk(concatBytes([start, await whole(reader, length - start.length)]));
    } finally {
      held.release();
    }
  } else {
    yield start.subarray(dataAt);
    yield* withinMessage(reader.stream(length - start.length));
  }
}

/** Length of the next message. */
async function readFrameHead(reader: ByteReader, maxBytes: number): Promise<number> {
  const head = await whole(reader, FRAME_HEAD_BYTES);
  if (head[0] !== 0) {
    throw new ConnectError("message is compressed, which is not supported", Code.Unimplemented);
  }
  const length = new DataView(head.buffer, head.byteOffset).getUint32(1);
  if (length > maxBytes) {
    const text = `message size ${length} is larger than the limit of ${maxBytes} bytes`;
    throw new ConnectError(text, Code.ResourceExhausted);
  }
  return length;
}

/** Most bytes in front of the data of a BlobChunk: the tag and a length of 32 bits. */
const FIELD_HEAD_BYTES = 6;

/**
 * Where the data begins in a BlobChunk message, when it is the only field and takes up the
 * rest of the message, as it nearly always does.
 */
function wholeMessageDataAt(start: Uint8Array, messageLength: number): number | undefined {
  if (start[0] !== DATA_TAG) return undefined;
  let length = 0;
  let scale = 1;
  for (let at = 1; at < start.length; at++) {
    const byte = start[at] as number;
    length += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte <= 0x7f) return at + 1 + length === messageLength ? at + 1 : undefined;
  }
  return undefined;
}

/** What goes in front of the data of a framed BlobChunk message. */
export function blobChunkHead(dataLength: number): Uint8Array {
  if (dataLength === 0) return frameHead(0);
  const head = allocateShortLived(FRAME_HEAD_BYTES + FIELD_HEAD_BYTES);
  let end = FRAME_HEAD_BYTES;
  head[end++] = DATA_TAG;
  let rest = dataLength;
  for (; rest > 0x7f; rest >>>= 7) head[end++] = (rest & 0x7f) | 0x80;
  head[end++] = rest;
  writeFrameHead(head, end - FRAME_HEAD_BYTES + dataLength);
  return head.subarray(0, end);
}

/** A framed message whose only field, the first one, has these bytes: BlobChunk and PutBlobResponse. */
export function framedBytes(bytes: Uint8Array): Uint8Array {
  const head = blobChunkHead(bytes.length);
  const message = new Uint8Array(head.length + bytes.length);
  message.set(head);
  message.set(bytes, head.length);
  return message;
}

/**
 * The data of a body that is one BlobChunk message with nothing but data, as nearly every body
 * of a short blob is: a view of it. Undefined for what {@link readBlobData} has to look at.
 */
export function onlyBlobData(body: Uint8Array, maxBytes: number): Uint8Array | undefined {
  const length = onlyMessageLength(body);
  if (length === undefined || length > maxBytes) return undefined;
  const message = body.subarray(FRAME_HEAD_BYTES);
  const dataAt = wholeMessageDataAt(message.subarray(0, FIELD_HEAD_BYTES), length);
  return dataAt === undefined ? undefined : message.subarray(dataAt);
}

/** Length of the message of a body that is one that is not compressed. */
function onlyMessageLength(body: Uint8Array): number | undefined {
  if (body.length < FRAME_HEAD_BYTES || body[0] !== 0) return undefined;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return length === body.length - FRAME_HEAD_BYTES ? length : undefined;
}

/**
 * The data of a BlobChunk message, as a view of it.
 *
 * @throws ConnectError INVALID_ARGUMENT when the message is none
 */
function decodeBlobChunk(message: Uint8Array): Uint8Array {
  try {
    return fromBinary(BlobChunkSchema, message).data;
  } catch (cause) {
    throw new ConnectError("message is no BlobChunk", Code.InvalidArgument, undefined, undefined, cause);
  }
}

async function whole(reader: ByteReader, length: number): Promise<Uint8Array> {
  try {
    return await reader.read(length);
  } catch (error) {
    throw endedWithinMessage(error);
  }
}

async function* withinMessage(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* pieces;
  } catch (error) {
    throw endedWithinMessage(error);
  }
}

function endedWithinMessage(error: unknown): unknown {
  if (!(error instanceof StreamEndedError)) return error;
  return new ConnectError("stream ended within a message", Code.InvalidArgument, undefined, undefined, error);
}
