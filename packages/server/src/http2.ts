import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Http2Server } from "node:http2";
import { type ConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { isRequestComplete } from "@tvix/castore/grpc";
import { type BlobCallOptions, findBlobCall, raiseSessionWindow, WINDOW_SETTINGS } from "@tvix/castore/node";
import { NEVER_COMPRESS } from "./routes.ts";

/** What the HTTP/2 side needs. */
export interface Http2Options extends BlobCallOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Answers what is no call: the plain resources of the HTTP/1.1 side. */
  readonly fallback: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Calls that one connection may have open at the same time. */
const MAX_CONCURRENT_STREAMS = 256;

/**
 * An HTTP/2 server for clear text that listens nowhere: connections are handed to it. Reads
 * and puts of blobs take their own path, every other call that of Connect.
 */
export function createHttp2(options: Http2Options): Http2Server {
  const { routes, maxMessageBytes } = options;
  const connect = connectNodeAdapter({
    routes,
    readMaxBytes: maxMessageBytes,
    compressMinBytes: NEVER_COMPRESS,
    contextValues: (request) =>
      createContextValues().set(isRequestComplete, () => !("stream" in request && request.stream.aborted)),
    fallback: (request, response) => {
      // Fastify knows both kinds of requests; its types name the older one.
      options.fallback(request as IncomingMessage, response as ServerResponse);
    },
  });
  // Node's request and response objects take over a stream's trailers, so blob calls must get
  // the stream before they are made: this server only makes them, for the streams it is given.
  const requests = createServer(connect);
  const server = createServer({
    settings: { ...WINDOW_SETTINGS, maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
  });
  server.on("session", raiseSessionWindow);
  server.on("stream", (stream, headers, flags, rawHeaders) => {
    const blobCall = findBlobCall(headers);
    if (blobCall === undefined) requests.emit("stream", stream, headers, flags, rawHeaders);
    else void blobCall(stream, headers, options);
  });
  return server;
}
