import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { isServerFailure, toConnectError } from "../status.ts";
import { OK_TRAILERS, trailersOf } from "./status-headers.ts";
import { parseTimeout } from "./timeout.ts";

/** What is answered by somebody else. */
export const HANDED_ON: unique symbol = Symbol("handed on");

/** Whether a request is a call of gRPC whose messages are in the binary encoding, and not compressed. */
export function isPlainCall(headers: IncomingHttpHeaders): boolean {
  const contentType = headers["content-type"];
  const encoding = headers["grpc-encoding"] ?? "identity";
  if (contentType !== "application/grpc" && contentType !== "application/grpc+proto") return false;
  if (encoding !== "identity" || headers[":method"] !== "POST") return false;
  // What is no deadline is refused like that of any other call.
  const timeout = headers["grpc-timeout"];
  return timeout === undefined || parseTimeout(timeout) !== undefined;
}

/**
 * Answers a call of gRPC on its stream with what every call needs: cancellation, deadline, and a status at the end.
 *
 * @param onError sees every failure that is not the client's
 * @param run is given a signal that is aborted when the client leaves or the deadline passes; resolves with what is left to send, or
 *   HANDED_ON when somebody else answers it
 */
export async function answerCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  onError: (error: unknown) => void,
  run: (signal: AbortSignal) => Promise<Uint8Array | undefined | typeof HANDED_ON>,
): Promise<void> {
  const cancellation = new AbortController();
  const cancel = () => cancellation.abort(new ConnectError("the call was cancelled", Code.Canceled));
  stream.once("aborted", cancel).once("close", cancel);
  // The failure of a stream shows in what is read from it and written to it.
  stream.on("error", () => {});
  const timeoutMs = parseTimeout(headers["grpc-timeout"]);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => cancellation.abort(new ConnectError("the deadline has passed", Code.DeadlineExceeded)),
          timeoutMs,
        );
  const { signal } = cancellation;
  try {
    const rest = await run(signal);
    if (rest !== HANDED_ON) end(stream, OK_TRAILERS, rest);
  } catch (reason) {
    const error = toConnectError(reason, signal);
    if (isServerFailure(error)) onError(reason);
    end(stream, trailersOf(error));
  } finally {
    clearTimeout(timer);
    stream.off("aborted", cancel).off("close", cancel);
  }
}

const RESPONSE_HEADERS = { ":status": 200, "content-type": "application/grpc+proto" };

/** Sends the head of an answer, once. */
export function sendHeaders(stream: ServerHttp2Stream): void {
  if (!stream.headersSent && !stream.destroyed) stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
}

/**
 * Ends the response with trailers, and tells a client that is still sending to stop.
 *
 * @param rest goes out with the end: one frame, where a write of its own would make two
 */
function end(stream: ServerHttp2Stream, trailers: Readonly<Record<string, string>>, rest?: Uint8Array): void {
  if (stream.destroyed) return;
  if (stream.closed) {
    // Reset by the client, while what has arrived is still held: there is nobody to answer.
    stream.destroy();
    return;
  }
  if (stream.writableNeedDrain) {
    // Trailers cannot overtake what the client does not take.
    stream.close(constants.NGHTTP2_CANCEL);
    return;
  }
  if (!stream.headersSent && trailers !== OK_TRAILERS) {
    stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
  } else {
    sendHeaders(stream);
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(rest);
  }
  if (!stream.readableEnded) {
    const stop = () => stream.close(constants.NGHTTP2_NO_ERROR);
    if (stream.writableFinished) stop();
    else stream.once("finish", stop);
    stream.resume();
  }
}
