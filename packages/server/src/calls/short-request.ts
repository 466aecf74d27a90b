import type { ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { concatBytes } from "@tvix/byte-stream";

/** What a piece takes beside its bytes: a client may send each byte on its own. */
const PIECE_BYTES = 128;

/**
 * The body of a request, as soon as it is whole. What is longer is put back, for whoever reads it then.
 *
 * @param maxBytes what is held of it at the most, pieces included
 * @returns undefined for one that is longer
 * @throws ConnectError CANCELED when the client takes it back; the reason of the signal
 */
export async function shortRequest(
  stream: ServerHttp2Stream,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  return await new Promise((resolve, reject) => {
    const stop = () => {
      stream.off("readable", onReadable).off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
    };
    const onReadable = () => {
      for (let piece = stream.read(); piece !== null; piece = stream.read()) {
        pieces.push(piece);
        length += piece.length + PIECE_BYTES;
        if (length <= maxBytes) continue;
        stop();
        stream.unshift(concatBytes(pieces));
        resolve(undefined);
        return;
      }
    };
    const onEnd = () => {
      stop();
      // A stream that was reset ends as well.
      if (stream.aborted) reject(new ConnectError("the call was cancelled", Code.Canceled));
      else resolve(pieces.length === 1 ? pieces[0] : concatBytes(pieces));
    };
    const onAbort = () => {
      stop();
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener("abort", onAbort);
      stream.on("end", onEnd).on("readable", onReadable);
    }
  });
}
