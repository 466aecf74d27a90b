import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Exchange, pathOf, type RequestHead } from "./exchange.ts";
import { CUT_OFF, codeOf } from "./exchange-code.ts";
import { type Scope, scopeNeeded } from "./scope.ts";

/** Bytes that a connection has moved. */
interface Moved {
  readonly received: number;
  readonly sent: number;
}

/** Where a connection has the bytes of its exchanges that have ended: those of a head come before it is known. */
const ENDED: unique symbol = Symbol("bytes of ended exchanges");

interface CountedSocket extends Socket {
  [ENDED]?: Moved;
}

const NOTHING: Moved = { received: 0, sent: 0 };

/** An exchange of HTTP/1.1: the only one on its connection at the time. */
export class Http1Exchange implements Exchange {
  readonly version = "HTTP/1.1";
  readonly head: RequestHead;
  readonly needed: Scope | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: CountedSocket;
  readonly #before: Moved;
  /** What it has moved in all, once it has ended: all who want to know are told the same. */
  #moved: Moved | undefined;
  readonly #listeners: ((code: string) => void)[] = [];

  constructor(request: IncomingMessage, response: ServerResponse) {
    const { method = "", url = "", headers, socket } = request;
    const path = pathOf(url);
    this.head = { method, path, headers, host: headers.host };
    this.needed = scopeNeeded(method, path);
    this.#request = request;
    this.#response = response;
    this.#socket = socket;
    this.#before = this.#socket[ENDED] ?? NOTHING;
    // One listener for all who want to know: each costs about as much as deciding who may come in.
    response.on("close", () => this.#end());
  }

  get key(): IncomingMessage {
    return this.#request;
  }

  get connection(): Socket {
    return this.#socket;
  }

  get from(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** With its head, as it came. */
  get received(): number {
    return this.#moved?.received ?? this.#socket.bytesRead - this.#before.received;
  }

  get sent(): number {
    return this.#moved?.sent ?? sentOn(this.#socket) - this.#before.sent;
  }

  get connectionBytes(): number {
    return this.received + this.sent;
  }

  get awaitsRequest(): boolean {
    // Nobody may read it yet, because others come first.
    const isRead = this.#request.readableFlowing !== null && this.#request.readableLength === 0;
    return !this.#request.complete && isRead;
  }

  get awaitsReader(): boolean {
    return this.#response.writableLength > 0;
  }

  onEnd(listener: (code: string) => void): void {
    this.#listeners.push(listener);
  }

  cut(): void {
    this.#socket.destroy();
  }

  endConnection(): void {
    this.#response.shouldKeepAlive = false;
  }

  #end(): void {
    const response = this.#response;
    const socket = this.#socket;
    const now = { received: socket.bytesRead, sent: sentOn(socket) };
    // One that came before the last one had ended begins where that ended.
    const before = socket[ENDED] ?? NOTHING;
    this.#moved = { received: now.received - before.received, sent: now.sent - before.sent };
    socket[ENDED] = now;
    const status = response.getHeader("grpc-status");
    const code = response.writableFinished ? codeOf(status, response.statusCode) : CUT_OFF;
    for (const listener of this.#listeners) listener(code);
  }
}

/** What is buffered counts as written for a socket, and nobody has taken it. */
function sentOn(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}
