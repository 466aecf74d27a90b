import { lookup } from "node:dns/promises";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { activatedDescriptors } from "./activated.ts";
import type { BoundAddress, ListenAddress } from "./listen-address.ts";
import type { ReloadingTls } from "./reloading-tls.ts";
import { standardStreams } from "./standard-streams.ts";
import { bindUnixSocket } from "./unix-socket.ts";

/**
 * Listens on several addresses, on all or on none.
 *
 * @throws as {@link listen}
 */
export async function listenOnAll(addresses: readonly ListenAddress[], door: Door): Promise<Listening> {
  const servers: Server[] = [];
  const bound: BoundAddress[] = [];
  let streamsClosed: Promise<void> | undefined;
  try {
    for (const address of addresses) {
      const listening = await listen(address, door);
      servers.push(...listening.servers);
      bound.push(...listening.bound);
      streamsClosed ??= listening.streamsClosed;
    }
    return { servers, bound, streamsClosed };
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

/** What becomes of connections. */
export interface Door {
  /** Those by TCP are encrypted with this; undefined: in clear text. A Unix socket never leaves the machine. */
  readonly tls: ReloadingTls | undefined;
  /** Whether there is room for one that has just been made. */
  readonly isWelcome: (socket: Socket) => boolean;
  /** Whether sockets of systemd are taken that were meant for another process. */
  readonly ignoreActivationPid: boolean;
  /** Takes one over when it can be read; one that was not welcome is destroyed by then. */
  readonly onConnection: (socket: Socket) => void;
}

/** Servers, and the addresses they are bound to. */
export interface Listening {
  readonly servers: readonly Server[];
  readonly bound: readonly BoundAddress[];
  /** Resolves when standard input and output have closed, where they are a connection. */
  readonly streamsClosed?: Promise<void> | undefined;
}

/**
 * Listens on an address and hands over each connection. A host name may stand for several
 * addresses, `localhost` for IPv4 and IPv6: all of them are listened on, with one port.
 *
 * @returns the servers, and the addresses they are bound to
 * @throws Error of the system when an address is in use, or none can be bound
 */
export async function listen(address: ListenAddress, door: Door): Promise<Listening> {
  switch (address.type) {
    case "unix":
      return { servers: [await bindUnixSocket(address, (path) => bind({ path }, door))], bound: [address] };
    case "abstract":
      return { servers: [await bind({ path: `\0${address.name}` }, door)], bound: [address] };
    case "activated":
      return await listenOnActivated(address.name, door);
    case "stdio":
      return { servers: [], bound: [address], streamsClosed: serveStandardStreams(door) };
    case "tcp":
      return await listenOnHost(address, door);
  }
}

async function listenOnHost(
  address: Extract<ListenAddress, { type: "tcp" }>,
  door: Door,
): Promise<Listening> {
  const servers: Server[] = [];
  const bound: BoundAddress[] = [];
  let { port } = address;
  const hosts = await addressesOf(address.host);
  for (const host of hosts) {
    try {
      const server = await bind({ host, port }, door);
      const actual = server.address();
      if (actual !== null && typeof actual === "object") port = actual.port;
      servers.push(server);
      bound.push({ type: "tcp", host, port });
    } catch (error) {
      // A machine may name an address that it does not have, such as IPv6 loopback.
      if (hosts.size > 1 && isNotAvailable(error)) continue;
      for (const server of servers) server.close();
      throw error;
    }
  }
  if (servers.length === 0) throw new Error(`no address of ${address.host} can be listened on`);
  return { servers, bound };
}

async function listenOnActivated(name: string | undefined, door: Door): Promise<Listening> {
  const servers: Server[] = [];
  const bound: BoundAddress[] = [];
  for (const fd of activatedDescriptors(name, { ignorePid: door.ignoreActivationPid })) {
    const server = await bind({ fd }, door);
    servers.push(server);
    bound.push(boundTo(server));
  }
  return { servers, bound };
}

/** Where a server listens whose socket somebody else has opened. */
function boundTo(server: Server): BoundAddress {
  const actual = server.address();
  if (actual !== null && typeof actual === "object") {
    return { type: "tcp", host: actual.address, port: actual.port };
  }
  return { type: "unix", path: actual ?? "a socket without a name" };
}

async function serveStandardStreams({ isWelcome, onConnection }: Door): Promise<void> {
  const streams = standardStreams();
  const closed = new Promise<void>((resolve) => streams.once("close", () => resolve()));
  if (isWelcome(streams)) onConnection(streams);
  await closed;
}

/** The addresses of a host; `localhost` has both, whatever the system's table of hosts says. */
async function addressesOf(host: string): Promise<ReadonlySet<string>> {
  if (host === "localhost") return new Set(["127.0.0.1", "::1"]);
  return new Set((await lookup(host, { all: true })).map((entry) => entry.address));
}

/** What a server is to listen on: a path, a host, or a descriptor. */
type Target = { path: string } | { host: string; port: number } | { fd: number };

async function bind(target: Target, { tls, isWelcome, onConnection }: Door): Promise<Server> {
  const encrypted = tls === undefined || "path" in target ? undefined : tlsServerOf(tls, onConnection);
  // Whoever takes the connection reads it; until then nothing may be lost.
  const server = createServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
    if (!isWelcome(socket)) socket.destroy();
    else if (encrypted === undefined || isUnix(server)) onConnection(socket);
    else encrypted.emit("connection", socket);
  });
  server.once("close", () => encrypted?.emit("close"));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(target, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return server;
}

/** Encrypts the connections that it is given; listens nowhere itself. */
function tlsServerOf(tls: ReloadingTls, onConnection: (socket: Socket) => void): TlsServer {
  const server = createTlsServer({ ...tls.options, noDelay: true }, onConnection);
  tls.keepFresh(server);
  return server;
}

/** Whether a server listens on a Unix socket, which never leaves the machine. */
function isUnix(server: Server): boolean {
  const address = server.address();
  return address === null || typeof address === "string";
}

function isNotAvailable(error: unknown): boolean {
  return ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
