import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { concatBytes } from "@tvix/byte-stream";
import { decodeOnlyMessage, framedBytes } from "./framing.ts";
import { headersFault, noAnswer } from "./no-answer.ts";
import { errorOf } from "./status-headers.ts";

/** Longest answer that is looked at: a digest takes 41 bytes. */
const ANSWER_MAX_BYTES = 64 << 10;

/**
 * Puts a blob of one message, without the machinery that a stream of messages needs: for
 * small ones that is most of the work.
 *
 * Giving up closes the stream. Its request may have arrived by then, and is whole.
 *
 * @param where the address of the server, for messages
 * @param stream a call of the method `Put` that was just begun
 * @param bytes copied before the first wait
 * @returns the only message of the response
 * @throws ConnectError what the server answered, or UNAVAILABLE; the reason of the signal
 */
export async function putWholeBlob(
  where: string,
  stream: ClientHttp2Stream,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  let headers: IncomingHttpHeaders | undefined;
  let trailers: IncomingHttpHeaders | undefined;
  let failure: unknown;
  const body: Uint8Array[] = [];
  let length = 0;
  const giveUp = () => stream.close();
  signal?.addEventListener("abort", giveUp);
  await new Promise<void>((resolve) => {
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (piece: Uint8Array) => {
      length += piece.length;
      if (length <= ANSWER_MAX_BYTES) body.push(piece);
      else stream.destroy();
    });
    stream.on("error", (error) => {
      failure = error;
    });
    stream.on("close", resolve);
    stream.end(framedBytes(bytes));
  });
  signal?.removeEventListener("abort", giveUp);
  signal?.throwIfAborted();
  const status = trailers ?? headers;
  if (status?.["grpc-status"] === undefined) {
    throw (headers && headersFault(where, headers)) ?? noAnswer(where, failure);
  }
  const error = errorOf(status);
  if (error !== undefined) throw error;
  return decodeOnlyMessage(concatBytes(body));
}
