import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import cors from "@fastify/cors";
import { type CastoreHttpOptions, castoreHttp, keepEscapes } from "@tvix/castore-http";
import type { Health } from "@tvix/grpc-reflection";
import {
  answerError,
  answerErrors,
  type NarBridgeOptions,
  narBridge,
  noSuchFile,
  shown,
} from "@tvix/nar-bridge";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import type { Logger } from "pino";
import type { Admission } from "./admission/admission.ts";
import { answerRefusal, EXPOSED_HEADERS } from "./admission/answer-refusal.ts";
import type { EventLoopTurns } from "./admission/event-loop-turns.ts";
import { pathOf } from "./admission/exchange.ts";
import { Http1Exchange } from "./admission/http1-exchange.ts";
import { gatherShortPieces } from "./admission/short-pieces.ts";
import { authorityOf } from "./authority.ts";
import { type Calls, isGrpc } from "./calls/calls.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { UpstreamStates } from "./metrics/upstream-states.ts";
import { Page } from "./page.ts";
import { faultOfHead } from "./request-head.ts";
import type { StorageWatch } from "./storage-watch.ts";

/** What the HTTP/1.1 side needs. */
export interface Http1Options {
  readonly calls: Calls;
  readonly admission: Admission;
  /** When there is time for a request. */
  readonly turns: EventLoopTurns;
  /** Time that a connection may stay without a request, in milliseconds. */
  readonly idleMs: number;
  /** What is told at `/metrics`, where there is anything. */
  readonly metrics: Metrics | undefined;
  readonly health: Health;
  readonly storage: StorageWatch;
  readonly upstreams: UpstreamStates;
  readonly log: Logger;
  /** Origins whose pages may call the server from a browser. */
  readonly corsOrigins: readonly string[];
  /** What people look at: trees by digest, and by store path where there are some. */
  readonly trees: CastoreHttpOptions;
  /** The binary cache, where there is one. */
  readonly binaryCache: NarBridgeOptions | undefined;
}

/** An HTTP/1.1 server that listens nowhere: connections are handed to it. */
export interface Http1Side {
  readonly server: Server;
  readonly app: FastifyInstance;
  /** Ends connections without a request at once, and the others with the answer to theirs. */
  endConnections(): void;
}

/** Whatever is served from the store is what it is said to be, and runs nothing in a browser. */
const INERT = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
};

/** A failure of a request is told to whoever reads it. */
const IGNORED = () => {};

/** Time a client has for the header of a request, in milliseconds. */
const HEADERS_TIMEOUT_MS = 20_000;

/** Answers what is no request: of an unknown method, or with headers that are too long. */
function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
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

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** Requests of a connection that may wait for their answers: clients that send one behind the other are few. */
const PIPELINED = 64;

const UNANSWERED: unique symbol = Symbol("requests without an answer");
const LAST: unique symbol = Symbol("the last request, and its answer");

interface PipelinedSocket extends Socket {
  [UNANSWERED]?: number;
  [LAST]?: { readonly request: IncomingMessage; readonly response: ServerResponse };
}

/** Whether what is written to a connection now is read as an answer to what cannot be read, and to nothing else. */
function isFreeToAnswer(socket: PipelinedSocket): boolean {
  const unanswered = socket[UNANSWERED] ?? 0;
  if (unanswered === 0) return true;
  const last = socket[LAST];
  // It is the body of this one that cannot be read.
  return unanswered === 1 && last?.request.complete === false && !last.response.headersSent;
}

/**
 * Counts a request that has come on a connection. One that brings too many at once loses the connection:
 * thousands fit into one read of it.
 */
function isWithinPipeline(socket: PipelinedSocket): boolean {
  if (socket.destroyed) return false;
  socket[UNANSWERED] = (socket[UNANSWERED] ?? 0) + 1;
  if (socket[UNANSWERED] > PIPELINED) socket.destroy();
  return !socket.destroyed;
}

/** Time in which the rest of a request may come that has been answered already, in milliseconds. */
const REST_OF_REQUEST_MS = 5000;

/**
 * Takes what still comes of a request that was answered before it had ended: the next one on its
 * connection comes behind that. A client that goes on sending loses the connection.
 */
function dropRestOfRequest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, REST_OF_REQUEST_MS);
  // Node tells of either alone where somebody has begun to read it and has left.
  request.once("end", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
  // Whoever waited for more of it waits no longer: a request that is read by somebody does not flow. One
  // that flows already would stop with this.
  if (request.listenerCount("readable") > 0) request.removeAllListeners("readable");
  request.resume();
}

/** One logger for all requests: a child for each costs more than answering some of them. */
function withoutChildren(log: Logger): FastifyBaseLogger {
  const shared: Logger = Object.create(log, { child: { value: () => shared } });
  return shared as FastifyBaseLogger;
}

/** gRPC-Web and Connect over HTTP/1.1, the binary cache, and plain resources such as `/healthz`. */
export async function createHttp1(options: Http1Options): Promise<Http1Side> {
  const { calls, admission, turns, health, storage, log, corsOrigins, binaryCache, metrics } = options;
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0,
    // Without a body there is no stream of it that would have to be ended.
    optimizeEmptyRequests: true,
    // Proxies and clients keep connections for a minute or so: whoever closes first breaks a request now and then.
    keepAliveTimeout: options.idleMs,
    noDelay: true,
  });
  let ending = false;
  // The time limits of requests are watched only by a server that believes to listen.
  server.emit("listening");
  const enter = (
    request: IncomingMessage,
    response: ServerResponse,
    handler: RequestListener,
    isExpected = false,
  ) => {
    const fault = faultOfHead(request);
    if (fault !== undefined) {
      const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
      response.writeHead(fault.status, { ...headers, connection: "close" }).end(`${fault.text}\n`);
      return;
    }
    // Its client may have left before anybody has looked at it.
    if (response.destroyed || response.closed) return;
    const exchange = new Http1Exchange(request, response);
    const socket: PipelinedSocket = request.socket;
    if (ending) exchange.endConnection();
    exchange.onEnd(() => {
      socket[UNANSWERED] = (socket[UNANSWERED] ?? 1) - 1;
      // One that was under way when the end began may have said that the connection stays.
      if (ending) server.closeIdleConnections();
    });
    if (hasBody(request)) response.once("finish", () => dropRestOfRequest(request));
    admission.enter(
      exchange,
      () => {
        if (isExpected) response.writeContinue();
        handler(request, response);
      },
      (refusal, allowedOrigin) => {
        // Its body may come or not: nobody could tell it from the next request.
        if (isExpected) exchange.endConnection();
        answerRefusal(request, response, refusal, allowedOrigin);
      },
    );
  };
  const app = fastify({
    loggerInstance: withoutChildren(log),
    routerOptions: { ignoreDuplicateSlashes: true },
    rewriteUrl: ({ url = "/" }) => keepEscapes(url),
    clientErrorHandler: answerNoRequest,
    // An address that does not decode is that of nothing.
    frameworkErrors: (error, request, reply) => {
      const isBadAddress = error.code === "FST_ERR_BAD_URL";
      void answerError(isBadAddress ? noSuchFile(shown(request.url)) : error, request, reply);
    },
    logController: new LogController({ disableRequestLogging: true }),
    serverFactory: (handler) => {
      const begin = (request: IncomingMessage, response: ServerResponse, isExpected: boolean) => {
        // Its connection may break when whoever read it has just left.
        request.on("error", IGNORED);
        if (!isWithinPipeline(request.socket)) return;
        if (hasBody(request)) gatherShortPieces(request);
        (request.socket as PipelinedSocket)[LAST] = { request, response };
        turns.request(request.socket, () => enter(request, response, handler, isExpected));
      };
      server.on("request", (request, response) => begin(request, response, false));
      // Whoever waits to be asked for the body is asked when it is let in, and not before.
      return server.on("checkContinue", (request, response) => begin(request, response, true));
    },
  });
  // The binary cache answers for what there is no route for in the same way.
  if (binaryCache === undefined) answerErrors(app);
  else app.setErrorHandler(async (error, request, reply) => answerError(error, request, reply));
  server.on("checkExpectation", ({ headers }, response) => {
    const text = `Expect: ${JSON.stringify(headers.expect)} is not met here\n`;
    response.writeHead(417, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
    response.end(text);
  });
  app.addHook("onRequest", (_request, reply, done) => {
    reply.headers(INERT);
    done();
  });
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ["GET", "HEAD", "POST"],
      exposedHeaders: [...EXPOSED_HEADERS],
      maxAge: 3600,
    });
  }
  await app.register(async (scope) => {
    // Bodies are read as they come, by those who know what is in them.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    for (const path of calls.paths) {
      scope.all(path, async ({ raw }, reply) => {
        if (isGrpc(raw.headers["content-type"])) {
          return reply.code(415).type("text/plain; charset=utf-8").send("gRPC needs HTTP/2\n");
        }
        // What is written in another way was looked at, when it was let in, as something else.
        if (pathOf(raw.url ?? "") !== path) throw noSuchFile(shown(raw.url ?? ""));
        raw.headers.host = authorityOf(raw.headers.host);
        reply.hijack();
        await calls.serve(raw, reply.raw, reply.getHeaders());
        return reply;
      });
    }
  });
  app.get("/healthz", async (_request, reply) => {
    const failure = ending ? undefined : await storage.look();
    const serving = health.get("") === "SERVING";
    const text = failure?.message ?? (serving ? "ok" : "shutting down");
    return reply
      .code(serving ? 200 : 503)
      .type("text/plain; charset=utf-8")
      .send(`${text}\n`);
  });
  app.get("/readyz", async (_request, reply) => {
    const failure = ending ? undefined : await storage.look();
    const isReady = !ending && failure === undefined;
    const lines = [
      ending ? "server: shutting down" : "server: ok",
      `storage: ${failure?.message ?? "ok"}`,
      ...options.upstreams.resting.map(
        ({ upstream, until }) => `upstream ${upstream}: fails, and is asked again at ${until.toISOString()}`,
      ),
    ];
    return reply
      .code(isReady ? 200 : 503)
      .header("cache-control", "no-store")
      .type("text/plain; charset=utf-8")
      .send(`${lines.join("\n")}\n`);
  });
  if (metrics !== undefined) {
    app.get("/metrics", async (_request, reply) =>
      reply
        .type(metrics.contentType)
        .header("cache-control", "no-store")
        .send(await metrics.text()),
    );
  }
  const page = await Page.load();
  page.addRoutes(app);
  app.get("/", async (request, reply) => {
    if (page.isWanted(request.headers.accept)) return page.send(reply);
    const what = binaryCache === undefined ? "A castore is here." : "A Nix binary cache is here.";
    return reply.header("vary", "accept").type("text/plain; charset=utf-8").send(`${what}\n`);
  });
  await app.register(castoreHttp, options.trees);
  if (binaryCache !== undefined) await app.register(narBridge, binaryCache);
  await app.ready();
  const endConnections = () => {
    ending = true;
    server.closeIdleConnections();
  };
  return { server, app, endConnections };
}
