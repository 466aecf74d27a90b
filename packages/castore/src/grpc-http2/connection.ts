import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { unlessAborted } from "../grpc/unless-aborted.ts";
import { raiseSessionWindow, WINDOW_SETTINGS } from "./windows.ts";

/** Where a server listens: `http://host:port` or a Unix socket. */
export type ServerAddress = { readonly url: string } | { readonly socketPath: string };

/** Time that streams have to end when the connection is closed, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

interface Connected {
  readonly session: ClientHttp2Session;
  /** A session that is closing waits for its peer, also when it is destroyed; its socket does not. */
  readonly socket: Socket;
}

/**
 * Opens a stream for a call of the method at a path, with headers beside those that every call
 * has. Aborting the signal resets it; `close` would end it first, and what was sent of a request
 * would look whole to the server.
 */
export type OpenStream = (
  path: string,
  headers?: OutgoingHttpHeaders,
  reset?: AbortSignal,
) => ClientHttp2Stream;

/** A connection to a server, made when it is first needed and again when it was lost. */
export class Connection {
  readonly #address: ServerAddress;
  /** What we call the server. Node would leave the brackets of `[::1]` out, which some servers refuse. */
  readonly #authority: string;
  #connected: Promise<Connected> | undefined;
  /** The address, for messages. */
  readonly name: string;

  constructor(address: ServerAddress) {
    this.#address = address;
    this.name = "url" in address ? address.url : address.socketPath;
    this.#authority = "url" in address ? new URL(address.url).host : "localhost";
  }

  /**
   * Opens streams for calls, once there is a connection.
   *
   * @throws ConnectError UNAVAILABLE when there is none to be had; the reason of the signal
   */
  async ready(signal: AbortSignal | undefined): Promise<OpenStream> {
    this.#connected ??= this.#begin();
    const { session } = await unlessAborted(this.#connected, signal);
    return (path, headers, reset) =>
      session.request(
        {
          ":method": "POST",
          ":path": path,
          ":authority": this.#authority,
          "content-type": "application/grpc+proto",
          te: "trailers",
          ...headers,
        },
        reset === undefined ? {} : { signal: reset },
      );
  }

  /** Closes the connection when its streams have ended, or after a few seconds. */
  async close(): Promise<void> {
    const connected = await this.#connected?.catch(() => undefined);
    this.#connected = undefined;
    if (connected !== undefined && !connected.session.closed) {
      const { session, socket } = connected;
      const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
      await new Promise<void>((resolve) => {
        session.once("close", resolve);
        session.close();
      });
      clearTimeout(timer);
    }
  }

  /** A session that fails or is told to go away takes no new streams; the next call connects anew. */
  #begin(): Promise<Connected> {
    const connecting: Promise<Connected> = this.#connect(() => {
      if (this.#connected === connecting) this.#connected = undefined;
    });
    return connecting;
  }

  async #connect(forget: () => void): Promise<Connected> {
    const socket = openSocket(this.#address);
    const session = connect("http://localhost", {
      settings: WINDOW_SETTINGS,
      createConnection: () => socket,
    });
    session.once("close", forget).once("goaway", forget).once("error", forget);
    // Any number of calls may share the connection.
    session.setMaxListeners(0);
    await new Promise<void>((resolve, reject) => {
      session.once("connect", () => resolve());
      session.on("error", (cause: Error) => reject(unreachable(this.name, cause)));
    });
    raiseSessionWindow(session);
    return { session, socket };
  }
}

function openSocket(address: ServerAddress): Socket {
  if ("socketPath" in address) return connectSocket(address.socketPath);
  const { hostname, port } = new URL(address.url);
  return connectSocket({ host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 80 : Number(port) });
}

function unreachable(where: string, cause: Error): ConnectError {
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
