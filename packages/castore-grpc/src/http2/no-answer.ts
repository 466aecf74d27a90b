import type { IncomingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Why a call has no answer of a gRPC server, in words that say what was met at which address.
 *
 * @param where the address
 * @param cause what the stream failed with, if it did
 */
export function noAnswer(where: string, cause: unknown): ConnectError {
  const error = describeNoAnswer(where, cause);
  if (!isNoHttp2(cause)) unanswered.set(error, isRefusal(cause) ? "refused" : "lost");
  return error;
}

/**
 * Whether a call may be sent again because nobody has answered it: `refused` where the server has
 * not looked at it, as when it sends connections away, `lost` where the connection broke.
 */
export function unansweredCall(error: unknown): "refused" | "lost" | undefined {
  return error instanceof Error ? unanswered.get(error) : undefined;
}

const unanswered: WeakMap<Error, "refused" | "lost"> = new WeakMap();

function isRefusal(cause: unknown): boolean {
  if (!(cause instanceof Error) || !("code" in cause)) return false;
  if (cause.code === "ERR_HTTP2_STREAM_ERROR") return cause.message.includes("NGHTTP2_REFUSED_STREAM");
  return cause.code === "ERR_HTTP2_GOAWAY_SESSION" || cause.code === "ERR_HTTP2_INVALID_SESSION";
}

function describeNoAnswer(where: string, cause: unknown): ConnectError {
  const text = isNoHttp2(cause)
    ? `${where} does not speak HTTP/2 in clear text, as a gRPC server does: is it an HTTP/1.1 or a TLS port?`
    : cause instanceof Error
      ? `${where}: ${cause.message}`
      : `${where}: the connection was closed`;
  return new ConnectError(text, Code.Unavailable, undefined, undefined, cause);
}

/** What is wrong with headers that are none of a gRPC response; undefined for those that are. */
export function headersFault(where: string, headers: IncomingHttpHeaders): ConnectError | undefined {
  const status = Number(headers[":status"]);
  const type = headers["content-type"];
  if (status === 200 && (type === undefined || type.startsWith("application/grpc"))) return undefined;
  const text = `${where} is no gRPC server for this call: it answered with HTTP status ${status} and content type ${type ?? "none"}`;
  return new ConnectError(text, codeOfHttpStatus(status));
}

/** Source: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
function codeOfHttpStatus(status: number): Code {
  switch (status) {
    case 400:
      return Code.Internal;
    case 401:
      return Code.Unauthenticated;
    case 403:
      return Code.PermissionDenied;
    case 404:
      return Code.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.Unavailable;
    default:
      return Code.Unknown;
  }
}

/** nghttp2 has read what is no frame, or nothing at all. */
function isNoHttp2(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    "code" in cause &&
    cause.code === "ERR_HTTP2_ERROR" &&
    /protocol error/i.test(cause.message)
  );
}
