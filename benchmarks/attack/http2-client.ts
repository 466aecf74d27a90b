import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Settings } from "node:http2";

/** A connection whose failures are nobody's concern. */
export function connectTo(url: string, settings: Settings = {}): ClientHttp2Session {
  const session = connect(url, { settings });
  session.on("error", () => {});
  return session;
}

/** Begins a call of gRPC whose answer is not looked at. */
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

/**
 * Resolves when something has closed, however it did. A stream is over with its answer: Node keeps it open
 * for what it still has to send, which nobody takes any more.
 */
export async function ended(closing: ClientHttp2Session | ClientHttp2Stream): Promise<void> {
  if (!closing.destroyed) {
    await new Promise<void>((resolve) => {
      closing.once("close", () => resolve());
      closing.once("end", () => resolve());
    });
  }
  closing.destroy();
}

/** A message with its head in front. */
export function framed(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
