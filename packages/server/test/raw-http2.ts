import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** A frame of HTTP/2. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** What a client of HTTP/2 sends first, with its settings. */
export const PREFACE: Buffer = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(4, 0, 0, Buffer.alloc(0)),
]);

/** A message of gRPC with its head in front. */
export function framed(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A field of a protobuf message: so many zeros behind the tag and their length. */
export function field(tag: readonly number[], bytes: number): Buffer {
  const length = [];
  for (let left = bytes; ; left = Math.floor(left / 128)) {
    length.push((left % 128) | (left >= 128 ? 128 : 0));
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([...tag, ...length]), Buffer.alloc(bytes)]);
}

/**
 * Resolves when something has closed, however it did. A stream is over with its answer: Node keeps it open
 * for what it still has to send, which nobody takes any more.
 */
export async function over(closing: ClientHttp2Session | ClientHttp2Stream | Socket): Promise<void> {
  if (!closing.destroyed) {
    await new Promise<void>((resolve) => {
      closing.once("close", () => resolve());
      closing.once("end", () => resolve());
    });
  }
  closing.destroy();
}

/** Begins a call of gRPC; its failure is nobody's concern. */
export function beginCall(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  return stream.on("error", () => {});
}
