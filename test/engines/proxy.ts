import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A proxy of TCP between a test and an engine, which can do what nets do. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Added to the time that every byte takes, in each direction, in milliseconds. */
  latencyMs: number;
  /** How likely it is that a piece of data is the last of its connection, from 0 to 1. */
  cuts: number;
  /** Ends all connections at once. */
  cutAll(): void;
  /** Connections that were made so far. */
  readonly connections: number;
  /** Bytes that the engine has sent, and that it was sent. */
  readonly bytes: { received: number; sent: number };
}

/** Starts a proxy in front of a port of loopback. @param random numbers from 0 to 1, for cuts */
export async function startProxy(target: number, random: () => number = Math.random): Promise<Proxy> {
  const open = new Set<Socket>();
  const bytes = { received: 0, sent: 0 };
  let connections = 0;
  const server = createServer({ noDelay: true }, (client) => {
    connections++;
    const engine = connect({ port: target, host: "127.0.0.1", noDelay: true });
    for (const [socket, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      open.add(socket);
      const gone = () => {
        open.delete(socket);
        other.destroy();
      };
      socket.on("error", gone);
      socket.on("close", gone);
      socket.on("data", (data: Buffer) => {
        if (socket === client) bytes.sent += data.length;
        else bytes.received += data.length;
        if (random() < proxy.cuts) {
          socket.destroy();
          return;
        }
        // What waits is little: windows of TCP are short beside what tests move.
        if (proxy.latencyMs > 0) setTimeout(() => other.write(data), proxy.latencyMs);
        else if (!other.write(data)) {
          socket.pause();
          other.once("drain", () => socket.resume());
        }
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cutAll = () => {
    for (const socket of open) socket.destroy();
  };
  const proxy: Proxy = {
    port: address.port,
    latencyMs: 0,
    cuts: 0,
    cutAll,
    bytes,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
