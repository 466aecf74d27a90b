import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

/** What a failing object store does instead of what it should. */
export type StoreFault = "busy" | "cut answer" | "lost answer" | "silent";

const FAULTS: readonly StoreFault[] = ["busy", "cut answer", "lost answer", "silent"];

/** An object store that fails now and then: a proxy of HTTP in front of a real one. */
export interface FailingStore extends AsyncDisposable {
  readonly port: number;
  /** How likely it is that a request fails, from 0 to 1. */
  failures: number;
  /** How often each of its faults has happened. */
  readonly counts: Record<StoreFault, number>;
  /** Requests by their method, failed ones included. */
  readonly requests: Map<string, number>;
}

/** Starts one in front of a port of loopback. @param random numbers from 0 to 1 @param faults those that happen; default all */
export async function startFailingStore(
  target: number,
  random: () => number = Math.random,
  faults: readonly StoreFault[] = FAULTS,
): Promise<FailingStore> {
  const counts: Record<StoreFault, number> = { busy: 0, "cut answer": 0, "lost answer": 0, silent: 0 };
  const requests = new Map<string, number>();
  const server = createServer((from, to) => {
    const method = from.method ?? "";
    requests.set(method, (requests.get(method) ?? 0) + 1);
    if (random() >= store.failures) return forward(target, from, to);
    const fault = faults[Math.floor(random() * faults.length)] as StoreFault;
    counts[fault]++;
    if (fault === "busy") {
      from.resume();
      to.writeHead(503, { "content-type": "application/xml" });
      to.end("<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>");
    } else if (fault !== "silent") forward(target, from, to, fault);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const store: FailingStore = {
    port: address.port,
    failures: 0,
    counts,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return store;
}

/** Passes a request on, and its answer back: all of that, half of the body, or nothing although it was done. */
function forward(
  port: number,
  from: IncomingMessage,
  to: ServerResponse,
  fault?: "cut answer" | "lost answer",
): void {
  const { method, url: path, headers } = from;
  const passed = request({ host: "127.0.0.1", port, method, path, headers }, (answer) => {
    if (fault === "lost answer") {
      answer.resume();
      answer.once("end", () => from.socket.destroy());
      return;
    }
    to.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fault === undefined) return void answer.pipe(to);
    answer.once("data", (piece: Buffer) => {
      to.write(piece.subarray(0, piece.length >> 1), () => from.socket.destroy());
      answer.destroy();
    });
    answer.once("end", () => from.socket.destroy());
  });
  passed.on("error", () => from.socket.destroy());
  from.on("error", () => passed.destroy());
  from.pipe(passed);
}
