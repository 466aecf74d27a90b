import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { unlessAborted } from "@tvix/castore/backend";
import { ERROR_CODE_TRAILER } from "../status.ts";
import { Keepalive } from "./keepalive.ts";
import { noAnswer, unansweredCall } from "./no-answer.ts";
import type { ParsedAddress } from "./server-address.ts";
import { raiseSessionWindow, SESSION_OPTIONS } from "./windows.ts";

/** How long a client waits for what, in milliseconds. */
export interface ConnectionTimeouts {
  /** Time to connect. */
  readonly connectTimeoutMs: number;
  /** Time without a byte from the server, while there are calls, after which it has to answer a ping. */
  readonly keepaliveMs: number;
  /** Time for which a server that has been reached before is tried again. */
  readonly reconnectMs: number;
  /** Time for which one that could not be reached is not tried again: calls fail at once. */
  readonly restMs: number;
}

/** Time that streams have to end when the connection is closed, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** Time between attempts to connect again, in milliseconds: at first, and at most. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;

interface Connected {
  readonly session: ClientHttp2Session;
  /** A session that is closing waits for its peer, also when it is destroyed; its socket does not. */
  readonly socket: Socket;
  readonly keepalive: Keepalive | undefined;
}

/**
 * Opens a stream for a call of the method at a path, with headers beside those that every call
 * has. Aborting the signal resets it; `close` would end it first, and what was sent of a request
 * would look whole to the server.
 *
 * @throws ConnectError UNAVAILABLE when the connection takes no calls any more
 */
export type OpenStream = (
  path: string,
  headers?: OutgoingHttpHeaders,
  reset?: AbortSignal,
) => ClientHttp2Stream;

/** A connection to a server, made when it is first needed and again when it was lost. */
export class Connection {
  readonly #address: ParsedAddress;
  readonly #timeouts: ConnectionTimeouts;
  #connected: Promise<Connected> | undefined;
  #wasReached = false;
  /** Why the server could not be reached, and until when that is believed. */
  #unreached: { readonly error: unknown; readonly until: number } | undefined;
  #mayPing = true;
  readonly #closing = new AbortController();

  constructor(address: ParsedAddress, timeouts: ConnectionTimeouts) {
    this.#address = address;
    this.#timeouts = timeouts;
  }

  /** The address, for messages. */
  get name(): string {
    return this.#address.name;
  }

  /**
   * Opens streams for calls, once there is a connection.
   *
   * @throws ConnectError UNAVAILABLE when there is none to be had, or it was closed, which its trailer tells;
   *   the reason of the signal
   */
  async ready(signal: AbortSignal | undefined): Promise<OpenStream> {
    if (this.#unreached !== undefined && performance.now() < this.#unreached.until)
      throw this.#unreached.error;
    for (;;) {
      this.#closing.signal.throwIfAborted();
      this.#connected ??= this.#begin();
      const connecting = this.#connected;
      const connected = await unlessAborted(connecting, signal);
      const { session } = connected;
      if (!session.closed && !session.destroyed) return this.#opener(connected);
      if (this.#connected === connecting) this.#connected = undefined;
    }
  }

  /** Closes the connection when its streams have ended, or after a few seconds, for good. */
  async close(): Promise<void> {
    const trailer = { [ERROR_CODE_TRAILER]: "CLOSED" };
    this.#closing.abort(
      new ConnectError(`${this.name}: the connection was closed`, Code.Unavailable, trailer),
    );
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

  #opener({ session, keepalive }: Connected): OpenStream {
    return (path, headers, reset) => {
      let stream: ClientHttp2Stream;
      try {
        stream = session.request(
          {
            ":method": "POST",
            ":path": path,
            ":scheme": this.#address.scheme,
            ":authority": this.#address.authority,
            "content-type": "application/grpc+proto",
            te: "trailers",
            ...headers,
          },
          reset === undefined ? {} : { signal: reset },
        );
      } catch (cause) {
        throw noAnswer(this.name, cause);
      }
      if (keepalive !== undefined) stream.once("close", keepalive.callBegins());
      return stream;
    };
  }

  /** A session that fails or is told to go away takes no new streams; the next call connects anew. */
  #begin(): Promise<Connected> {
    const forget = () => {
      if (this.#connected === connecting) this.#connected = undefined;
    };
    const connecting: Promise<Connected> = this.#reach(forget, this.#closing.signal);
    connecting.catch(forget);
    return connecting;
  }

  /** Connects; to a server that was there before, again and again for a while. */
  async #reach(forget: () => void, closing: AbortSignal): Promise<Connected> {
    const until = performance.now() + (this.#wasReached ? this.#timeouts.reconnectMs : 0);
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs)) {
      try {
        const connected = await this.#connect(forget, closing);
        this.#wasReached = true;
        this.#unreached = undefined;
        return connected;
      } catch (error) {
        if (closing.aborted) throw error;
        if (performance.now() + waitMs > until) {
          // It has been waited for; the next call does not do so once more.
          this.#wasReached = false;
          this.#unreached = { error, until: performance.now() + this.#timeouts.restMs };
          throw error;
        }
        await sleep(waitMs, undefined, { signal: closing }).catch(() => closing.throwIfAborted());
      }
    }
  }

  /** Connects, and waits for the first words of an HTTP/2 server. */
  async #connect(forget: () => void, closing: AbortSignal): Promise<Connected> {
    const { connectTimeoutMs, keepaliveMs } = this.#timeouts;
    const socket = this.#address.openSocket();
    const session = connect("http://localhost", { ...SESSION_OPTIONS, createConnection: () => socket });
    session.once("close", forget).once("goaway", forget).once("error", forget);
    // Any number of calls may share the connection.
    session.setMaxListeners(0);
    let timer: NodeJS.Timeout | undefined;
    let giveUp = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        giveUp = () => reject(closing.reason);
        closing.addEventListener("abort", giveUp);
        timer = setTimeout(() => reject(this.#tooLate(socket)), connectTimeoutMs);
        session.once("remoteSettings", () => resolve());
        session.on("error", (cause: Error) => reject(this.#unreachable(cause)));
        session.once("close", () => reject(noAnswer(this.name, undefined)));
        // What a server says by TLS of a client without a certificate does not reach the session.
        socket.once("error", (cause) => reject(this.#unreachable(cause)));
        socket.once("close", () => reject(noAnswer(this.name, undefined)));
      });
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
      closing.removeEventListener("abort", giveUp);
    }
    raiseSessionWindow(session);
    const onUnwelcome = () => {
      this.#mayPing = false;
    };
    const keepalive = this.#mayPing ? new Keepalive(session, socket, keepaliveMs, onUnwelcome) : undefined;
    return { session, socket, keepalive };
  }

  #tooLate(socket: Socket): ConnectError {
    const seconds = this.#timeouts.connectTimeoutMs / 1000;
    const what = socket.connecting ? "cannot be reached" : "takes connections, but has not answered,";
    return new ConnectError(`${this.name} ${what} within ${seconds} s`, Code.Unavailable);
  }

  #unreachable(cause: Error): ConnectError {
    const error = noAnswer(this.name, cause);
    // What is no gRPC server says so itself.
    if (unansweredCall(error) === undefined) return error;
    // Where several addresses were tried, the message is empty and the errors say it all.
    const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
    const texts = causes.map((one) => (one instanceof Error ? one.message : String(one)));
    const text = `cannot connect to ${this.name}: ${texts.join(", ")}`;
    return new ConnectError(text, Code.Unavailable, undefined, undefined, cause);
  }
}
