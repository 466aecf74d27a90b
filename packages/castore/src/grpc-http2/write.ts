import type { Http2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Writes parts of one message, and waits while the peer does not keep up.
 *
 * @throws ConnectError CANCELED when the stream is closed
 */
export async function writeParts(stream: Http2Stream, parts: readonly Uint8Array[]): Promise<void> {
  if (stream.destroyed || !stream.writable) throw closed();
  let ready = true;
  stream.cork();
  for (const part of parts) ready = stream.write(part);
  stream.uncork();
  if (!ready) await drained(stream);
}

async function drained(stream: Http2Stream): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (outcome: () => void) => () => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
      outcome();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(closed()));
    stream.on("drain", onDrain);
    stream.on("close", onClose);
    if (stream.destroyed) onClose();
  });
}

function closed(): ConnectError {
  return new ConnectError("the stream is closed", Code.Canceled);
}
