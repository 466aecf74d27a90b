import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ByteReader } from "@tvix/byte-stream";
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

/** Longest message accepted unless told otherwise, in bytes: the default of gRPC. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 4 << 20;

/** What goes in front of a message of this length. */
export function frameHead(length: number): Uint8Array {
  const head = new Uint8Array(FRAME_HEAD_BYTES);
  new DataView(head.buffer).setUint32(1, length);
  return head;
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
  while (!(await reader.atEnd())) {
    const head = await whole(reader, FRAME_HEAD_BYTES);
    if (head[0] !== 0) throw new ConnectError("message is compressed, which is not supported", Code.Unimplemented);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(1);
    if (length > maxBytes) {
      throw new ConnectError(`message size ${length} is larger than the limit of ${maxBytes} bytes`, Code.ResourceExhausted);
    }
    yield await whole(reader, length);
  }
}

/** What goes in front of the data of a framed BlobChunk message. */
export function blobChunkHead(dataLength: number): Uint8Array {
  const head = [DATA_TAG];
  let rest = dataLength;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80);
  head.push(rest);
  return Uint8Array.from([...frameHead(dataLength === 0 ? 0 : head.length + dataLength), ...(dataLength === 0 ? [] : head)]);
}

/**
 * The data of a BlobChunk message, as a view of it.
 *
 * @throws ConnectError INVALID_ARGUMENT when the message is none
 */
export function decodeBlobChunk(message: Uint8Array): Uint8Array {
  // Nearly always the one field takes up the message.
  if (message[0] === DATA_TAG) {
    let length = 0;
    let scale = 1;
    for (let at = 1; at < message.length && at <= 5; at++) {
      const byte = message[at] as number;
      length += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte > 0x7f) continue;
      if (at + 1 + length === message.length) return message.subarray(at + 1);
      break;
    }
  }
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
    if (error instanceof Error && error.name === "StreamEndedError") {
      throw new ConnectError("stream ended within a message", Code.InvalidArgument, undefined, undefined, error);
    }
    throw error;
  }
}
