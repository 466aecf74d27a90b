import { type Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { ERROR_CODE_TRAILER, errorCodeOfStatus } from "@tvix/castore-grpc";
import { trailersOf } from "@tvix/castore-grpc/http2";
import type { NodeRequest, NodeResponse } from "../node-messages.ts";
import { endOfStream } from "./readable-status.ts";

const GRPC = /^application\/grpc/i;
const CONNECT_STREAM = /^application\/connect\+/i;

/**
 * Answers a call with nothing but a status, in the protocol of its client.
 *
 * @param httpStatus for calls of Connect with one answer, which have their status there
 */
export function answerStatus(
  request: NodeRequest,
  response: NodeResponse,
  { code, httpStatus, message }: { code: Code; httpStatus: number; message: string },
): void {
  const type = request.headers["content-type"] ?? "";
  const errorCode = errorCodeOfStatus(code);
  if (GRPC.test(type)) {
    response.setHeader("content-type", type);
    const trailers = trailersOf(new ConnectError(message, code, { [ERROR_CODE_TRAILER]: errorCode }));
    for (const [name, value] of Object.entries(trailers)) response.setHeader(name, value);
    response.end();
    return;
  }
  const error = { code: codeToString(code), message };
  if (CONNECT_STREAM.test(type)) {
    response.setHeader("content-type", type);
    response.end(endOfStream({ error, metadata: { [ERROR_CODE_TRAILER]: [errorCode] } }));
    return;
  }
  response.statusCode = httpStatus;
  response.setHeader("content-type", "application/json");
  response.setHeader(ERROR_CODE_TRAILER, errorCode);
  response.end(JSON.stringify(error));
}
