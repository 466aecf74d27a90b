import { constants, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import {
  type BlobCallOptions,
  findBlobCall,
  MAX_CONCURRENT_STREAMS,
  raiseSessionWindow,
  SESSION_OPTIONS,
} from "@tvix/castore/grpc-http2";
import { authorityOf } from "./authority.ts";
import type { FailedCall } from "./calls/call-log.ts";
import { type Calls, isGrpc, type NodeRequest, type NodeResponse } from "./calls/calls.ts";

/** What the HTTP/2 side needs. */
export interface Http2Options extends Omit<BlobCallOptions, "onError"> {
  readonly calls: Calls;
  /** Sees every failure of a blob call that is not the client's. */
  readonly onError: (error: unknown, call: FailedCall) => void;
  /** Answers what is no call of gRPC itself, as on the HTTP/1.1 side. */
  readonly fallback: (request: NodeRequest, response: NodeResponse) => void;
}

/**
 * Calls that a client may take back in one connection: so many at once, and so many a second. Some
 * take the first message of a stream and drop it, as snix does with every directory, and Node's own
 * limits of 1000 and 33 would end their connection. A call that is taken back ends its work; a
 * client that does nothing but begin calls and take them back meets these.
 */
const RESETS_AT_ONCE = 50_000;
const RESETS_PER_SECOND = 10_000;

/**
 * An HTTP/2 server for clear text that listens nowhere: connections are handed to it. Reads
 * and puts of blobs take their own path.
 */
export function createHttp2(options: Http2Options): Http2Server {
  // Node's request and response objects take over a stream's trailers, so blob calls must get
  // the stream before they are made: this server only makes them, for the streams it is given.
  const requests = createServer((request, response) => {
    if (isGrpc(request.headers["content-type"])) void options.calls.serve(request, response);
    else options.fallback(request, response);
  });
  const server = createServer({
    ...SESSION_OPTIONS,
    settings: { ...SESSION_OPTIONS.settings, maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
    streamResetBurst: RESETS_AT_ONCE,
    streamResetRate: RESETS_PER_SECOND,
  });
  server.on("session", raiseSessionWindow);
  server.on("stream", (stream, headers, flags, rawHeaders) => {
    const blobCall = findBlobCall(headers);
    if (blobCall !== undefined) {
      const call = { call: String(headers[":path"]), from: stream.session?.socket.remoteAddress };
      const onError = (error: unknown) => options.onError(error, call);
      blobCall(stream, headers, { ...options, onError }).catch((error) => {
        onError(error);
        stream.destroy();
      });
      return;
    }
    stream.once("finish", () => dropRestOfRequest(stream));
    const authority = authorityOf(headers[":authority"] ?? headers.host);
    requests.emit("stream", stream, { ...headers, ":authority": authority }, flags, rawHeaders);
  });
  return server;
}

/** Time that the trailers of a response have to go out, in milliseconds. */
const TRAILERS_MS = 1000;

/** Ends a call that was answered before its request had ended: the rest is not wanted. */
function dropRestOfRequest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  const timer = setTimeout(() => {
    if (!stream.destroyed) stream.resume().close(constants.NGHTTP2_NO_ERROR);
  }, TRAILERS_MS);
  stream.once("close", () => clearTimeout(timer));
}
