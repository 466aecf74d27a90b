import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { raiseSessionWindow, WINDOW_SETTINGS } from "./windows.ts";

/** Where a server listens: `http://host:port` or a Unix socket. */
export type ServerAddress = { readonly url: string } | { readonly socketPath: string };

/** Time that streams have to end when the connection is closed, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** A connection to a server, made when it is first needed and again when it was lost. */
export class Connection {
  readonly #address: ServerAddress;
  /** What we call the server. Node would leave the brackets of `[::1]` out, which some servers refuse. */
  readonly #authority: string;
  #session: Promise<ClientHttp2Session> | undefined;

  constructor(address: ServerAddress) {
    this.#address = address;
    this.#authority = "url" in address ? new URL(address.url).host : "localhost";
  }

  /**
   * Opens a stream for a call. Aborting the signal resets it; `close` would end it first, and
   * what was sent of a request would look whole to the server.
   *
   * @param path of the method
   * @param headers beside those that every call has
   * @throws ConnectError UNAVAILABLE when there is no connection to be had
   */
  async request(
    path: string,
    headers: OutgoingHttpHeaders = {},
    signal?: AbortSignal,
  ): Promise<ClientHttp2Stream> {
    this.#session ??= this.#connect();
    const session = await this.#session;
    return session.request(
      {
        ":method": "POST",
        ":path": path,
        ":authority": this.#authority,
        "content-type": "application/grpc+proto",
        te: "trailers",
        ...headers,
      },
      signal === undefined ? {} : { signal },
    );
  }

  /** Closes the connection when its streams have ended, or after a few seconds. */
  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    if (session !== undefined && !session.closed) {
      const timer = setTimeout(() => session.destroy(), CLOSE_TIMEOUT_MS);
      await new Promise<void>((resolve) => {
        session.once("close", resolve);
        session.close();
      });
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<ClientHttp2Session> {
    const session = openSession(this.#address);
    const forget = () => {
      this.#session = undefined;
    };
    // A session that fails or is told to go away takes no new streams; the next call connects anew.
    session.once("close", forget).once("goaway", forget).once("error", forget);
    // Any number of calls may share the connection.
    session.setMaxListeners(0);
    await new Promise<void>((resolve, reject) => {
      session.once("connect", () => resolve());
      session.on("error", (cause: Error) => reject(unreachable(this.#address, cause)));
    });
    raiseSessionWindow(session);
    return session;
  }
}

function openSession(address: ServerAddress): ClientHttp2Session {
  const settings = WINDOW_SETTINGS;
  if ("url" in address) return connect(address.url, { settings });
  return connect("http://localhost", { settings, createConnection: () => connectSocket(address.socketPath) });
}

function unreachable(address: ServerAddress, cause: Error): ConnectError {
  const where = "url" in address ? address.url : address.socketPath;
  // Where several addresses were tried, the message is empty and the errors say it all.
  const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const text = causes.map((error) => (error instanceof Error ? error.message : String(error))).join(", ");
  return new ConnectError(
    `cannot connect to ${where}: ${text}`,
    Code.Unavailable,
    undefined,
    undefined,
    cause,
  );
}
