import { createServer, type Server } from "node:http";
import type { ConnectRouter } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import cors from "@fastify/cors";
import type { Health } from "@tvix/grpc-reflection";
import { type NarBridgeOptions, narBridge } from "@tvix/nar-bridge";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import { authorityOf } from "./authority.ts";
import { NEVER_COMPRESS } from "./routes.ts";

/** What the HTTP/1.1 side needs. */
export interface Http1Options {
  readonly routes: (router: ConnectRouter) => void;
  readonly health: Health;
  readonly log: FastifyBaseLogger;
  readonly maxMessageBytes: number;
  /** Origins whose pages may call the server from a browser. */
  readonly corsOrigins: readonly string[];
  /** The binary cache, where there is one. */
  readonly binaryCache: NarBridgeOptions | undefined;
}

/** An HTTP/1.1 server that listens nowhere: connections are handed to it. */
export interface Http1Side {
  readonly server: Server;
  readonly app: FastifyInstance;
}

/** Time a client has for the header of a request, in milliseconds. */
const HEADERS_TIMEOUT_MS = 20_000;

/** gRPC-Web and Connect over HTTP/1.1, the binary cache, and plain resources such as `/healthz`. */
export async function createHttp1(options: Http1Options): Promise<Http1Side> {
  const { routes, health, log, maxMessageBytes, corsOrigins, binaryCache } = options;
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0, noDelay: true });
  // The time limits of requests are watched only by a server that believes to listen.
  server.emit("listening");
  const app = fastify({
    loggerInstance: log,
    // One logger for all: a child for each request costs more than answering some of them.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    serverFactory: (handler) => server.on("request", handler),
  });
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ["GET", "HEAD", "POST"],
      exposedHeaders: ["grpc-status", "grpc-message", "tvix-error-code"],
      maxAge: 3600,
    });
  }
  await app.register(async (calls) => {
    calls.addHook("onRequest", async ({ raw }) => {
      raw.headers.host = authorityOf(raw.headers.host);
    });
    await calls.register(fastifyConnectPlugin, {
      routes,
      readMaxBytes: maxMessageBytes,
      compressMinBytes: NEVER_COMPRESS,
      grpc: false,
    });
  });
  app.get("/healthz", (_request, reply) => {
    const serving = health.get("") === "SERVING";
    return reply
      .code(serving ? 200 : 503)
      .type("text/plain; charset=utf-8")
      .send(serving ? "ok\n" : "shutting down\n");
  });
  if (binaryCache !== undefined) await app.register(narBridge, binaryCache);
  await app.ready();
  return { server, app };
}
