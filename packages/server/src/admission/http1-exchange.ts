import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Exchange, pathOf, type RequestHead } from "./exchange.ts";
import { CUT_OFF, codeOf } from "./exchange-code.ts";
import { type Scope, scopeNeeded } from "./scope.ts";

/** Where a connection has the bytes of its exchanges that have ended: those of a head come before it is known. */
const ENDED_BYTES: unique symbol = Symbol("bytes of ended exchanges");

interface CountedSocket extends Socket {
  [ENDED_BYTES]?: number;
}

/** An exchange of HTTP/1.1: the only one on its connection at the time. */
export class Http1Exchange implements Exchange {
  readonly version = "HTTP/1.1";
  readonly head: RequestHead;
  readonly needed: Scope | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: CountedSocket;
  readonly #receivedBefore: number;
  readonly #sentBefore: number;
  readonly #listeners: ((code: string) => void)[] = [];

  constructor(request: IncomingMessage, response: ServerResponse) {
    const { method = "", url = "", headers, socket } = request;
    const path = pathOf(url);
    this.head = { method, path, headers, host: headers.host };
    this.needed = scopeNeeded(method, path);
    this.#request = request;
    this.#response = response;
    this.#socket = socket;
    this.#receivedBefore = this.#socket[ENDED_BYTES] ?? 0;
    this.#sentBefore = socket.bytesWritten;
    // One listener for all who want to know: each costs about as much as deciding who may come in.
    response.once("close", () => this.#end());
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
    return this.#socket.bytesRead - this.#receivedBefore;
  }

  get sent(): number {
    // What is buffered counts as written there, and nobody has taken it.
    return this.#socket.bytesWritten - this.#socket.writableLength - this.#sentBefore;
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
    this.#socket[ENDED_BYTES] = this.#socket.bytesRead;
    const status = response.getHeader("grpc-status");
    const code = response.writableFinished ? codeOf(status, response.statusCode) : CUT_OFF;
    for (const listener of this.#listeners) listener(code);
  }
}
