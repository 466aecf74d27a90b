import type { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";

/** Calls back with the code that a stream has ended with. */
export function onStreamEnd(stream: ServerHttp2Stream, done: (code: string) => void): void {
  stream.once("close", () => {
    const { sentHeaders, sentTrailers } = stream;
    const status = sentTrailers?.["grpc-status"] ?? sentHeaders?.["grpc-status"];
    done(stream.aborted || sentHeaders === undefined ? "cut off" : codeOf(status, sentHeaders[":status"]));
  });
}

/** The same for a response of HTTP/1.1. */
export function onResponseEnd(response: ServerResponse, done: (code: string) => void): void {
  response.once("close", () => {
    const status = response.getHeader("grpc-status");
    done(response.writableFinished ? codeOf(status, response.statusCode) : "cut off");
  });
}

/** The status of gRPC by its name where there is one, else that of HTTP. */
function codeOf(grpcStatus: unknown, httpStatus: unknown): string {
  if (grpcStatus === undefined) return String(httpStatus);
  const code = Number(grpcStatus);
  return code === 0 ? "ok" : code in Code ? codeToString(code) : "unknown";
}
