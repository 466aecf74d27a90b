import type { Http2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Writes parts of one message, and waits while the peer does not keep up.
 *
 * @throws ConnectError CANCELED when the stream is closed; the reason of the signal
 */
export async function writeParts(
  stream: Http2Stream,
  parts: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (stream.destroyed || !stream.writable) throw closed();
  let ready = true;
  stream.cork();
  for (const part of parts) ready = stream.write(part);
  stream.uncork();
  if (!ready) await drained(stream, signal);
}

async function drained(stream: Http2Stream, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settle = (outcome: () => void) => () => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
      signal?.removeEventListener("abort", onAbort);
      outcome();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(closed()));
    const onAbort = settle(() => reject(signal?.reason));
    signal?.addEventListener("abort", onAbort);
    stream.on("drain", onDrain);
    stream.on("close", onClose);
    if (stream.destroyed) onClose();
  });
}

function closed(): ConnectError {
  return new ConnectError("the stream is closed", Code.Canceled);
}
