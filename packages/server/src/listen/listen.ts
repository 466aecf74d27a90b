import { lookup } from "node:dns/promises";
import { lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import type { ListenAddress } from "./listen-address.ts";
import type { ReloadingTls } from "./reloading-tls.ts";

/**
 * Listens on several addresses, on all or on none.
 *
 * @throws as {@link listen}
 */
export async function listenOnAll(addresses: readonly ListenAddress[], door: Door): Promise<Listening> {
  const servers: Server[] = [];
  const bound: ListenAddress[] = [];
  try {
    for (const address of addresses) {
      const listening = await listen(address, door);
      servers.push(...listening.servers);
      bound.push(...listening.bound);
    }
    return { servers, bound };
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
  /** Takes one over when it can be read; one that was not welcome is destroyed by then. */
  readonly onConnection: (socket: Socket) => void;
}

/** Servers, and the addresses they are bound to. */
export interface Listening {
  readonly servers: readonly Server[];
  readonly bound: readonly ListenAddress[];
}

/**
 * Listens on an address and hands over each connection. A host name may stand for several
 * addresses, `localhost` for IPv4 and IPv6: all of them are listened on, with one port.
 *
 * @returns the servers, at least one, and the addresses they are bound to
 * @throws Error of the system when an address is in use, or none can be bound
 */
export async function listen(address: ListenAddress, door: Door): Promise<Listening> {
  if (address.type === "unix") {
    return { servers: [await bindSocket(address.path, door)], bound: [address] };
  }
  const servers: Server[] = [];
  const bound: ListenAddress[] = [];
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

/** The addresses of a host; `localhost` has both, whatever the system's table of hosts says. */
async function addressesOf(host: string): Promise<ReadonlySet<string>> {
  if (host === "localhost") return new Set(["127.0.0.1", "::1"]);
  return new Set((await lookup(host, { all: true })).map((entry) => entry.address));
}

/**
 * A socket that a killed process left behind is removed; one that is answered is in use, and
 * anything else that stands there is not ours to remove.
 */
async function bindSocket(path: string, door: Door): Promise<Server> {
  try {
    return await bind({ path }, door);
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE") throw error;
    if (!(await lstat(path)).isSocket()) {
      throw new Error(`cannot listen on ${path}: a file that is no socket stands there`, { cause: error });
    }
    if (await isAnswered(path)) throw error;
    await unlink(path);
    return await bind({ path }, door);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

async function bind(
  options: { path: string } | { host: string; port: number },
  { tls, isWelcome, onConnection }: Door,
): Promise<Server> {
  // Whoever takes the connection reads it; until then nothing may be lost.
  const server =
    tls === undefined || "path" in options
      ? createServer({ noDelay: true, pauseOnConnect: false }, onConnection)
      : createTlsServer({ ...tls.options, noDelay: true }, onConnection);
  if (server instanceof TlsServer) tls?.keepFresh(server);
  server.prependListener("connection", (socket: Socket) => {
    if (!isWelcome(socket)) socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return server;
}

function isNotAvailable(error: unknown): boolean {
  return ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(codeOf(error) ?? "");
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
