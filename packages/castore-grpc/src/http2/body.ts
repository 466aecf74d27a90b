import type { Http2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/** Bytes that wait for the consumer before the stream is told to pause. */
const HELD_BYTES = 1 << 20;

/** The same where all streams of the process together hold much already. */
const LEAST_HELD_BYTES = 32 << 10;
const MUCH_HELD_BYTES = 16 << 20;

/** What a piece takes beside its bytes. */
const PIECE_BYTES = 128;

/** What all streams hold, in bytes. */
let heldByAll = 0;

/** What one stream may hold by what all of them hold, in bytes. */
function mostHeld(): number {
  if (heldByAll <= MUCH_HELD_BYTES) return HELD_BYTES;
  return heldByAll <= 2 * MUCH_HELD_BYTES ? LEAST_HELD_BYTES : 0;
}

/**
 * The body that arrives on a stream. Unlike a stream's own iterator it takes all that has
 * arrived at once, ends at once when the signal is aborted, and never mistakes a reset for
 * the end.
 *
 * @throws ConnectError CANCELED when the peer resets the stream; the signal's reason
 */
export async function* bodyOf(stream: Http2Stream, signal: AbortSignal): AsyncIterable<Uint8Array> {
  let arrived: Uint8Array[] = [];
  let held = 0;
  let ended = false;
  let reset = false;
  let wake = () => {};
  const onData = (piece: Uint8Array) => {
    // Messages are views of this memory, and should not have the methods of Buffer.
    arrived.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    const taken = piece.length + PIECE_BYTES;
    held += taken;
    heldByAll += taken;
    if (held >= mostHeld()) stream.pause();
    wake();
  };
  const onEnd = () => {
    ended = true;
    // A stream that was reset ends as well; one that is reset later was whole.
    reset = stream.aborted;
    wake();
  };
  const onClose = () => wake();
  stream.on("data", onData).once("end", onEnd).once("close", onClose);
  signal.addEventListener("abort", onClose);
  try {
    for (;;) {
      signal.throwIfAborted();
      if (arrived.length > 0) {
        const pieces = arrived;
        arrived = [];
        // What is passed on is held until all of it has been taken.
        const taken = held;
        held = 0;
        stream.resume();
        try {
          yield* pieces;
        } finally {
          heldByAll -= taken;
        }
      } else if (reset || (stream.destroyed && !ended)) {
        throw new ConnectError("the stream was reset", Code.Canceled);
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    heldByAll -= held;
    stream.off("data", onData).off("end", onEnd).off("close", onClose);
    signal.removeEventListener("abort", onClose);
  }
}
