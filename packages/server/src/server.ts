import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { useNativeBlake3 } from "@tvix/blake3-native";
import { type MemoryLedger, UNLIMITED_MEMORY } from "@tvix/castore";
import { DEFAULT_MAX_MESSAGE_BYTES } from "@tvix/castore-grpc";
import { Health } from "@tvix/grpc-reflection";
import type { NarBridgeOptions } from "@tvix/nar-bridge";
import { type Logger, pino } from "pino";
import { Access, type Authenticator, type OpenAccess } from "./admission/access.ts";
import { Admission, type AdmissionRules, type ExchangeObserver } from "./admission/admission.ts";
import { EventLoopTurns } from "./admission/event-loop-turns.ts";
import { Pace } from "./admission/pace.ts";
import { logFailure } from "./calls/call-log.ts";
import { Calls } from "./calls/calls.ts";
import { parseOrigin } from "./cors-origin.ts";
import { findStorePath } from "./find-store-path.ts";
import { createHttp1 } from "./http1.ts";
import { createHttp2 } from "./http2.ts";
import { connectionLimit } from "./listen/connection-limit.ts";
import { Connections } from "./listen/connections.ts";
import { listenOnAll } from "./listen/listen.ts";
import { type BoundAddress, isLocalAddress, type ListenAddress } from "./listen/listen-address.ts";
import { switchProtocol } from "./listen/protocol-switch.ts";
import type { ReloadingTls } from "./listen/reloading-tls.ts";
import { RequestLog } from "./log/request-log.ts";
import { Metrics } from "./metrics/metrics.ts";
import { requestKind } from "./metrics/request-kind.ts";
import type { ServiceCalls } from "./metrics/service-calls.ts";
import type { StoreFigures } from "./metrics/store-metrics.ts";
import { UpstreamStates } from "./metrics/upstream-states.ts";
import type { NodeRequest } from "./node-messages.ts";
import { addRoutes, type RoutedServices, servedServices } from "./routes.ts";
import { StorageWatch } from "./storage-watch.ts";

/** What a server serves, and how. */
export interface ServerOptions extends RoutedServices {
  /** Where it listens: one address or several. */
  readonly address: ListenAddress | readonly ListenAddress[];
  /** Longest message accepted from a client, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** Connections at a time; more are closed at once. Default: what the process may open, less 256. */
  readonly maxConnections?: number | undefined;
  /** Connections at a time from one address of IPv4 or network of IPv6. Default: half of all. */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Uploads at a time of one principal, or of one address without a token. Default: any number. */
  readonly maxUploadsPerPrincipal?: number | undefined;
  /**
   * Bytes that may have come by HTTP/2 and not be read yet; what the windows of all connections have room for is
   * half of that. Default: half of the memory, at least 64 MiB.
   */
  readonly maxUnreadBytes?: number | undefined;
  /** Requests that may be under way at once; from one address half of them. Default: 4096. */
  readonly maxRequests?: number | undefined;
  /** Bytes that one principal, or one address without a token, may send in a day to be stored. Default: any number. */
  readonly maxDailyUploadPerPrincipal?: number | undefined;
  /** Time that a client may do nothing in the middle of a request or an answer, in milliseconds. Default 60 s. */
  readonly stallMs?: number;
  /** Time from the head of a request to the end of its answer, in milliseconds. Default 24 hours. */
  readonly requestMs?: number;
  /** Time that a connection may stay without a request, in milliseconds. Default 2 minutes. */
  readonly idleMs?: number;
  /** Whether `/metrics` tells Prometheus what has been seen. Default false. */
  readonly metrics?: boolean;
  /** What the store tells of itself, for `/metrics`. */
  readonly storeFigures?: StoreFigures | undefined;
  /** Calls of services that are observed, for `/metrics`. */
  readonly serviceCalls?: ServiceCalls | undefined;
  /** What requests draw their memory from, for `/metrics`. */
  readonly memory?: MemoryLedger | undefined;
  /** Origins whose pages may call the server from a browser, such as `https://example.org`. Default none. */
  readonly corsOrigins?: readonly string[];
  /** Whether sockets of systemd are taken that were meant for another process. Default false. */
  readonly ignoreActivationPid?: boolean | undefined;
  /** Encrypts connections by TCP. Default: they are in clear text. */
  readonly tls?: ReloadingTls | undefined;
  /** Who may do what. Default: anybody may read, and add where only this machine can connect. */
  readonly access?: AccessOptions;
  /** Serves a Nix binary cache at the root of the same port. Default: none. */
  readonly binaryCache?: NarBridgeOptions;
  /** Where failures of ours are written. Default: nowhere. */
  readonly log?: Logger;
  /** See each request begin and end, beside the log and the metrics. Default none. */
  readonly observers?: readonly ExchangeObserver[];
  /** Whether each request is written there as well, when it has ended. Default false. */
  readonly logRequests?: boolean;
  /** Says what is wrong with the storage, and tries to mend it; asked every second. Default: nothing is. */
  readonly check?: () => Promise<Error | undefined>;
}

/** Who may use a server. */
export interface AccessOptions {
  /** Know those who show a token, asked in this order. Default none. */
  readonly authenticators?: readonly Authenticator[];
  /** What may be done without a token. Default: reading; adding, as `auto` says. */
  readonly open?: Partial<OpenAccess>;
  /** Names by which the server may be called when only this machine can connect, beside its own. Default none. */
  readonly allowedHosts?: readonly string[];
}

/** A server that takes calls. */
export interface RunningServer {
  /** The addresses it is bound to; with port 0 the ports it was given. */
  readonly addresses: readonly BoundAddress[];
  /** Resolves when standard input and output have closed, where they are what it serves; else never. */
  readonly streamsClosed: Promise<void>;
  /** Lets in by other rules from here on; connections that are open stay. */
  setAccess(access: AccessOptions): void;
  /**
   * Takes no new connections, lets the calls under way end, and returns then. A request that has
   * come on an open connection by then is its last.
   *
   * @param timeoutMs after this time connections are cut, in milliseconds
   * @returns false when some had to be cut
   */
  close(timeoutMs?: number): Promise<boolean>;
}

const STALL_MS = 60_000;
const IDLE_MS = 120_000;
const REQUEST_MS = 24 * 3_600_000;

/** What has come by HTTP/2 and is not read yet may be half of what there is to work with, or so much, in bytes. */
const LEAST_UNREAD_BYTES = 64 << 20;

/** Requests under way at once, unless told otherwise. */
const MAX_REQUESTS = 4096;

/** Time that a client has between two messages of a call where it has much to do for the next one, in milliseconds. */
const PATIENCE_MS = 15 * 60_000;

/** Time that calls under way have to end when the server is closed, in milliseconds. */
const CLOSE_TIMEOUT_MS = 10_000;

/**
 * Serves the services of a store on one port: gRPC over HTTP/2 in clear text, gRPC-Web and Connect
 * over HTTP/1.1 and 2, under the names of tvix and of snix, with reflection and health.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  useNativeBlake3();
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, corsOrigins = [], binaryCache } = options;
  const log = options.log ?? pino({ enabled: false });
  const health = new Health(servedServices(options).map(({ typeName }) => typeName));
  const ending = new AbortController();
  const routes = (router: ConnectRouter) => addRoutes(router, options, health, ending.signal);
  const { memory, maxConnections = connectionLimit() } = options;
  const { maxConnectionsPerAddress = Math.ceil(maxConnections / 2) } = options;
  const connections = new Connections({ most: maxConnections, mostOfAddress: maxConnectionsPerAddress });
  const upstreams = new UpstreamStates();
  const metrics: Metrics | undefined =
    options.metrics === true
      ? new Metrics({
          connections: () => connections.count,
          memory,
          upstreams,
          store: options.storeFigures,
          services: options.serviceCalls,
        })
      : undefined;
  const { stallMs = STALL_MS, idleMs = IDLE_MS, requestMs = REQUEST_MS } = options;
  const pace = new Pace(
    { stallMs, requestMs, patienceMs: Math.max(PATIENCE_MS, stallMs) },
    () => (memory?.waiting ?? 0) > 0,
  );
  const admission: Admission = new Admission({
    rules: admissionRulesOf(options, addressesOf(options)),
    pace,
    requestsAtOnce: options.maxRequests ?? MAX_REQUESTS,
    uploadsAtOnce: options.maxUploadsPerPrincipal ?? Number.POSITIVE_INFINITY,
    uploadBytesPerDay: options.maxDailyUploadPerPrincipal ?? Number.POSITIVE_INFINITY,
    observers: [
      ...(metrics === undefined ? [] : [metrics]),
      ...(options.logRequests === true ? [new RequestLog(log)] : []),
      ...(options.observers ?? []),
    ],
    kindOf: (method, path) => requestKind(method, path, knownCalls),
  });
  const turns = new EventLoopTurns();
  const calls = new Calls({
    routes,
    maxMessageBytes,
    admission,
    memory: memory ?? UNLIMITED_MEMORY,
    turns,
    log,
  });
  const knownCalls: ReadonlySet<string> = new Set(calls.paths);
  const storage = new StorageWatch(options.check ?? (async () => undefined), health, log);
  const principalOf = (request: NodeRequest | IncomingMessage) => admission.callerOf(request);
  const http1 = await createHttp1({
    calls,
    admission,
    turns,
    idleMs,
    metrics,
    health,
    storage,
    upstreams,
    log,
    corsOrigins,
    trees: { ...options, findRoot: findStorePath(options.store?.pathInfoService), stallMs },
    binaryCache: binaryCache && { principalOf, meter: upstreams, ...binaryCache },
  });
  const http2 = createHttp2({
    calls,
    admission,
    turns,
    memory,
    maxUnreadBytes:
      options.maxUnreadBytes ?? Math.max(LEAST_UNREAD_BYTES, (memory ?? UNLIMITED_MEMORY).capacity / 2),
    idleMs,
    maxMessageBytes,
    blobService: options.blobService,
    onError: (error, call) => logFailure(log, error, call),
    fallback: (request, response) => {
      // Fastify knows both kinds of requests; its types name the older one.
      http1.app.routing(request as IncomingMessage, response as ServerResponse);
    },
  });

  /** Those that have said nothing yet. */
  const silent = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const { servers, bound, streamsClosed } = await listenOnAll(addressesOf(options), {
    ignoreActivationPid: options.ignoreActivationPid === true,
    tls: options.tls,
    isWelcome: (socket) => connections.add(socket),
    onConnection: (socket) => {
      // It may fail before there is time for it.
      socket.on("error", () => {});
      turns.connection(socket, () => {
        if (ending.signal.aborted) socket.destroy();
        if (socket.destroyed) return;
        silent.add(socket);
        switchProtocol(socket, http1.server, http2, () => silent.delete(socket));
      });
    },
  });

  // Only now it is known who can connect to what systemd has opened.
  admission.setRules(admissionRulesOf(options, bound));
  return {
    addresses: bound,
    streamsClosed: streamsClosed ?? new Promise(() => {}),
    setAccess: (access) => admission.setRules(admissionRulesOf({ ...options, access }, bound)),
    async close(timeoutMs = CLOSE_TIMEOUT_MS) {
      storage.end();
      pace.end();
      health.end();
      ending.abort();
      for (const socket of silent) socket.destroy();
      const closed = servers.map(closeServer);
      // Each connection ends when its calls have; those without any end at once.
      for (const session of sessions) session.close();
      http1.endConnections();
      let cut = false;
      const timer = setTimeout(() => {
        cut = connections.cut();
      }, timeoutMs);
      await Promise.all(closed);
      clearTimeout(timer);
      await http1.app.close();
      options.tls?.close();
      return !cut;
    },
  };
}

function admissionRulesOf(options: ServerOptions, addresses: readonly ListenAddress[]): AdmissionRules {
  const { authenticators = [], open, allowedHosts = [] } = options.access ?? {};
  // Whoever has to show a certificate is no stranger, wherever they are.
  const isLocal = addresses.every(isLocalAddress) || options.tls?.asksClients === true;
  const origins = new Set((options.corsOrigins ?? []).map(parseOrigin));
  return {
    access: new Access(authenticators, { reads: true, writes: "auto", ...open }, isLocal),
    browser: {
      isLocal,
      allowedHosts: allowedHosts.map((host) => host.toLowerCase()),
      isAllowedOrigin: (origin) => origins.has(origin),
    },
  };
}

function addressesOf({ address }: ServerOptions): readonly ListenAddress[] {
  return "type" in address ? [address] : address;
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
