import type { Server as Http1Server, IncomingMessage, ServerResponse } from "node:http";
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** How long clients may do nothing, in milliseconds. */
export interface StallLimits {
  /** In the middle of a request that they send, or an answer that they read. */
  readonly stallMs: number;
  /** On a connection without a request. Pings do not count: they cost a client nothing. */
  readonly idleMs: number;
}

/** Time that a connection which is told to go has for it, in milliseconds. */
const GRACE_MS = 1000;

/**
 * Gives up a call whose client neither sends nor reads on. One that waits for us is left alone, however
 * long that takes.
 */
export function limitStream(stream: ServerHttp2Stream, { stallMs }: StallLimits): void {
  const onIdle = () => {
    // What was paused holds what we have not yet taken.
    const awaitsRequest = !stream.readableEnded && !stream.isPaused() && stream.readableLength === 0;
    const awaitsReader = stream.writableLength > 0;
    if (awaitsRequest || awaitsReader) stream.close(constants.NGHTTP2_CANCEL);
    else stream.setTimeout(stallMs, onIdle);
  };
  stream.setTimeout(stallMs, onIdle);
}

/** Ends a connection of HTTP/2 that has had no call for a while, whatever else comes on it. */
export function limitSession(session: ServerHttp2Session, { idleMs }: StallLimits): void {
  let calls = 0;
  const end = () => {
    session.close();
    setTimeout(() => session.destroy(), GRACE_MS).unref();
  };
  const timer = setTimeout(end, idleMs).unref();
  session.on("stream", (stream: ServerHttp2Stream) => {
    calls++;
    clearTimeout(timer);
    stream.once("close", () => {
      calls--;
      if (calls === 0 && !session.destroyed) timer.refresh();
    });
  });
  session.once("close", () => clearTimeout(timer));
}

/** The same for HTTP/1.1: each connection has one request at a time. */
export function limitHttp1(server: Http1Server, { stallMs }: StallLimits): void {
  const current = new WeakMap<Socket, { request: IncomingMessage; response: ServerResponse }>();
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    current.set(request.socket, { request, response });
    response.once("close", () => current.delete(request.socket));
  });
  server.setTimeout(stallMs, (socket: Socket) => {
    const exchange = current.get(socket);
    if (exchange !== undefined && isOurTurn(exchange.request, exchange.response)) socket.setTimeout(stallMs);
    else socket.destroy();
  });
}

function isOurTurn(request: IncomingMessage, response: ServerResponse): boolean {
  const awaitsReader = response.writableLength > 0;
  // Nobody may read it yet, because others come first.
  const isRead = request.readableFlowing !== null && request.readableLength === 0;
  return !awaitsReader && (request.complete || !isRead);
}
