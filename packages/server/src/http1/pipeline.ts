import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests of a connection that may wait for their answers: clients that send one behind the other are few. */
const PIPELINED = 64;

const UNANSWERED: unique symbol = Symbol("requests without an answer");
const LAST: unique symbol = Symbol("the last request, and its answer");

/** A connection of HTTP/1.1, and what has come on it that is not answered. */
interface PipelinedSocket extends Socket {
  [UNANSWERED]?: number;
  [LAST]?: { readonly request: IncomingMessage; readonly response: ServerResponse };
}

/**
 * Counts a request that has come on a connection, until {@link endOfPipelined}. One that brings too many at once loses
 * the connection: thousands fit into one read of it.
 *
 * @returns whether it may be answered
 */
export function beginPipelined(request: IncomingMessage, response: ServerResponse): boolean {
  const socket: PipelinedSocket = request.socket;
  if (socket.destroyed) return false;
  socket[UNANSWERED] = (socket[UNANSWERED] ?? 0) + 1;
  if (socket[UNANSWERED] > PIPELINED) socket.destroy();
  socket[LAST] = { request, response };
  return !socket.destroyed;
}

/** A request that was counted has been answered, or its answer has broken off. */
export function endOfPipelined({ socket }: { readonly socket: PipelinedSocket }): void {
  socket[UNANSWERED] = (socket[UNANSWERED] ?? 1) - 1;
}

/** Answers what is no request, such as of an unknown method or with headers that are too long, where an answer would be read as one. */
export function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET" || !isFreeToAnswer(socket))
    return void socket.destroy();
  const [status, reason, text] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large", "the header of the request is too long"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout", "the request has not come in time"]
        : [400, "Bad Request", "what came is no request of HTTP/1.1"];
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\nContent-Length: ${text.length + 1}\r\n\r\n${text}\n`,
  );
}

/** Whether what is written to a connection now is read as an answer to what cannot be read, and to nothing else. */
function isFreeToAnswer(socket: PipelinedSocket): boolean {
  const unanswered = socket[UNANSWERED] ?? 0;
  if (unanswered === 0) return true;
  const last = socket[LAST];
  // It is the body of this one that cannot be read.
  return unanswered === 1 && last?.request.complete === false && !last.response.headersSent;
}
