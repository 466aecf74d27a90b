import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import cors from "@fastify/cors";
import { type CastoreHttpOptions, castoreHttp, keepEscapes } from "@tvix/castore-http";
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
import { answerNoRequest, beginPipelined, endOfPipelined } from "./http1/pipeline.ts";
import { dropRestOfRequest } from "./http1/rest-of-request.ts";
import { addStateRoutes, type ServerState } from "./http1/state-routes.ts";
import { Page } from "./page.ts";
import { faultOfHead } from "./request-head.ts";

/** What the HTTP/1.1 side needs. */
export interface Http1Options extends ServerState {
  readonly calls: Calls;
  readonly admission: Admission;
  /** When there is time for a request. */
  readonly turns: EventLoopTurns;
  /** Time that a connection may stay without a request, in milliseconds. */
  readonly idleMs: number;
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

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** One logger for all requests: a child for each costs more than answering some of them. */
function withoutChildren(log: Logger): FastifyBaseLogger {
  const shared: Logger = Object.create(log, { child: { value: () => shared } });
  return shared as FastifyBaseLogger;
}

/** gRPC-Web and Connect over HTTP/1.1, the binary cache, and plain resources such as `/healthz`. */
export async function createHttp1(options: Http1Options): Promise<Http1Side> {
  const { calls, admission, turns, log, corsOrigins, binaryCache } = options;
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
    if (ending) exchange.endConnection();
    exchange.onEnd(() => {
      endOfPipelined(request);
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
        if (!beginPipelined(request, response)) return;
        if (hasBody(request)) gatherShortPieces(request);
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
  addStateRoutes(app, options, () => ending);
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
