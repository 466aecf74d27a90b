import {
  constants,
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { B3Digest } from "@tvix/castore";
import {
  type BlobCall,
  type BlobCallOptions,
  findBlobCall,
  MAX_CONCURRENT_STREAMS,
  SESSION_OPTIONS,
} from "@tvix/castore-grpc/http2";
import type { Caller } from "./admission/access.ts";
import type { Admission } from "./admission/admission.ts";
import { answerRefusal } from "./admission/answer-refusal.ts";
import type { EventLoopTurns } from "./admission/event-loop-turns.ts";
import { holdEnd } from "./admission/held-end.ts";
import { Http2Exchange } from "./admission/http2-exchange.ts";
import { endIdleSession } from "./admission/idle-session.ts";
import { isClosedByUs } from "./admission/own-close.ts";
import { ReadTurns } from "./admission/read-turns.ts";
import type { Refusal } from "./admission/refusal.ts";
import { gatherShortPieces } from "./admission/short-pieces.ts";
import { StreamBytes } from "./admission/stream-bytes.ts";
import { TakenBack } from "./admission/taken-back.ts";
import { UnreadBytes } from "./admission/unread-bytes.ts";
import { authorityOf } from "./authority.ts";
import type { FailedCall } from "./calls/call-log.ts";
import { type Calls, isGrpc } from "./calls/calls.ts";
import type { NodeRequest, NodeResponse } from "./node-messages.ts";

/** What the HTTP/2 side needs. */
export interface Http2Options extends Omit<BlobCallOptions, "onError" | "onDigest" | "principal"> {
  readonly calls: Calls;
  readonly admission: Admission;
  /** When there is time for a call. */
  readonly turns: EventLoopTurns;
  /** Bytes of all calls that may have come and not been read yet. */
  readonly maxUnreadBytes: number;
  /** Time that a connection may stay without a call, in milliseconds. */
  readonly idleMs: number;
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
  const unread = new UnreadBytes(options.maxUnreadBytes);
  const refused = new WeakMap<ServerHttp2Stream, { refusal: Refusal; allowedOrigin: string | undefined }>();
  const requests = createServer((request, response) => {
    // It has a buffer of its own, into which all goes that comes on the stream.
    if (!request.stream.endAfterHeaders) gatherShortPieces(request);
    const known = refused.get(request.stream);
    if (known !== undefined) answerRefusal(request, response, known.refusal, known.allowedOrigin);
    else if (isGrpc(request.headers["content-type"])) void options.calls.serve(request, response);
    else options.fallback(request, response);
  });
  const server = createServer({
    ...SESSION_OPTIONS,
    settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
    streamResetBurst: RESETS_AT_ONCE,
    streamResetRate: RESETS_PER_SECOND,
  });
  server.on("session", (session) => {
    unread.addConnection(session);
    endIdleSession(session, options.idleMs);
  });
  const takenBack = new TakenBack();
  const reads = new ReadTurns();
  server.on("stream", (stream, headers, flags, rawHeaders) => {
    reads.note(stream.session);
    const serve = (caller: Caller | undefined) => {
      const blobCall = caller === undefined ? undefined : findBlobCall(headers);
      const serveDirect =
        caller === undefined || blobCall !== undefined ? undefined : options.calls.findDirect(headers);
      const handOn = () => serveAsRequest(stream, headers, flags, rawHeaders);
      if (blobCall !== undefined) serveBlobCall(blobCall, caller, stream, headers);
      else if (serveDirect !== undefined) serveDirect(stream, handOn);
      else handOn();
      releaseEnd();
    };
    // It may fail before there is time for it; afterwards, its failure shows where it is read and written.
    stream.on("error", () => {});
    stream.once("aborted", () => {
      const { session } = stream;
      if (stream.headersSent || isClosedByUs(stream)) return;
      // One whose connection is gone was not taken back.
      if (session === undefined || session.destroyed || session.socket.destroyed) return;
      const isOneTooMany = takenBack.note(session.socket.remoteAddress, session);
      if (isOneTooMany) endAtOnce(session);
    });
    const bytes = new StreamBytes(stream, { unread, reads });
    const releaseEnd = holdEnd(stream);
    options.turns.request(stream.session ?? stream, () => {
      // One that was taken back before anybody has looked at it costs no more than this.
      if (stream.destroyed || stream.aborted) return;
      options.admission.enter(new Http2Exchange(stream, headers, bytes), serve, (refusal, allowedOrigin) => {
        refused.set(stream, { refusal, allowedOrigin });
        serve(undefined);
      });
    });
  });
  return server;

  function serveBlobCall(
    blobCall: BlobCall,
    principal: Caller | undefined,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): void {
    const call = { call: String(headers[":path"]), from: stream.session?.socket.remoteAddress };
    const onError = (error: unknown) => options.onError(error, { ...call, subject: admitted?.subject });
    const admitted = options.admission.findByKey(stream);
    const onDigest = (digest: B3Digest) => {
      if (admitted !== undefined) admitted.subject = digest.toString();
    };
    blobCall(stream, headers, { ...options, principal, onError, onDigest }).catch((error) => {
      onError(error);
      stream.destroy();
    });
  }

  function serveAsRequest(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    rawHeaders: string[],
  ): void {
    stream.once("finish", () => dropRestOfRequest(stream));
    const authority = authorityOf(headers[":authority"] ?? headers.host);
    requests.emit("stream", stream, { ...headers, ":authority": authority }, flags, rawHeaders);
  }
}

/** Ends a connection whose client is to come more rarely: what else has come with this is not looked at. */
function endAtOnce(session: Http2Session): void {
  // Without an error Node takes undefined for the code 0.
  session.destroy(null as unknown as undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** Time that the trailers of a response have to go out, in milliseconds. */
const TRAILERS_MS = 1000;

/** Ends a call that was answered before its request had ended: the rest is not wanted. */
function dropRestOfRequest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  const timer = setTimeout(() => {
    // Whoever took what came may have paused it: such a stream would never end.
    if (!stream.destroyed) stream.removeAllListeners("data").resume().close(constants.NGHTTP2_NO_ERROR);
  }, TRAILERS_MS);
  stream.once("close", () => clearTimeout(timer));
}
