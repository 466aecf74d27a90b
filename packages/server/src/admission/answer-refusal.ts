import { ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { trailersOf } from "@tvix/castore-grpc/http2";
import type { NodeRequest, NodeResponse } from "../node-messages.ts";
import type { Refusal } from "./refusal.ts";

const GRPC = /^application\/grpc/i;
const CONNECT = /^application\/(connect\+)?(proto|json)\b/i;

/** What a page may read of an answer. */
export const EXPOSED_HEADERS: readonly string[] = ["grpc-status", "grpc-message", "tvix-error-code"];

/** What is asked of who shows nothing: Nix's netrc makes the first. */
const CHALLENGE = 'Basic realm="tvix-store", Bearer realm="tvix-store"';

/**
 * Tells somebody in their own protocol that they are not let in.
 *
 * @param allowedOrigin of a page that may call: its browser shows it the answer
 */
export function answerRefusal(
  request: NodeRequest,
  response: NodeResponse,
  refusal: Refusal,
  allowedOrigin?: string,
): void {
  if (response.headersSent || response.destroyed) return;
  const type = request.headers["content-type"] ?? "";
  const { message, status, httpStatus, retryAfterS } = refusal;
  response.setHeader("cache-control", "no-store");
  if (allowedOrigin !== undefined) {
    response.setHeader("access-control-allow-origin", allowedOrigin);
    response.setHeader("access-control-expose-headers", EXPOSED_HEADERS.join(", "));
    response.setHeader("vary", "origin");
  }
  if (GRPC.test(type)) {
    response.setHeader("content-type", type);
    const trailers = trailersOf(new ConnectError(message, status, { "tvix-error-code": refusal.kind }));
    for (const [name, value] of Object.entries(trailers)) response.setHeader(name, value);
    response.end();
  } else {
    response.statusCode = httpStatus;
    if (httpStatus === 401) response.setHeader("www-authenticate", CHALLENGE);
    if (retryAfterS !== undefined) response.setHeader("retry-after", retryAfterS);
    if (CONNECT.test(type)) {
      response.setHeader("content-type", "application/json");
      response.setHeader("tvix-error-code", refusal.kind);
      response.end(JSON.stringify({ code: codeToString(status), message }));
    } else {
      response.setHeader("content-type", "text/plain; charset=utf-8");
      response.end(request.method === "HEAD" ? "" : `${message}\n`);
    }
  }
  // What still comes of the body is dropped, so that the answer can be read.
  request.resume();
}
