import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type Exchange, pathOf, type RequestHead } from "./exchange.ts";
import { CUT_OFF, codeOf } from "./exchange-code.ts";
import { closeStream } from "./own-close.ts";
import { type Scope, scopeNeeded } from "./scope.ts";
import type { StreamBytes } from "./stream-bytes.ts";

/** An exchange of HTTP/2: one of many on its connection. */
export class Http2Exchange implements Exchange {
  readonly version = "HTTP/2";
  readonly head: RequestHead;
  readonly needed: Scope | undefined;
  readonly from: string | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #session: ServerHttp2Session | undefined;
  readonly #bytes: StreamBytes;
  readonly #listeners: ((code: string) => void)[] = [];

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, bytes: StreamBytes) {
    const session = stream.session;
    const method = headers[":method"] ?? "";
    const path = pathOf(headers[":path"] ?? "");
    this.needed = scopeNeeded(method, path);
    this.head = {
      method,
      path,
      headers,
      host: session?.encrypted === true ? (headers[":authority"] ?? headers.host) : undefined,
    };
    this.#stream = stream;
    this.#session = session as ServerHttp2Session | undefined;
    this.from = session?.socket?.remoteAddress;
    this.#bytes = bytes;
    stream.on("close", () => this.#end());
  }

  get key(): ServerHttp2Stream {
    return this.#stream;
  }

  get connection(): object {
    return this.#session ?? this.#stream;
  }

  get received(): number {
    return this.#bytes.received;
  }

  get sent(): number {
    return this.#bytes.sent;
  }

  get connectionBytes(): number {
    const socket = this.#session?.socket;
    return (socket?.bytesRead ?? 0) + (socket?.bytesWritten ?? 0);
  }

  get awaitsRequest(): boolean {
    const stream = this.#stream;
    // What was paused holds what we have not yet taken; whoever waits to be told that there is more pauses it as well.
    const isPaused = stream.isPaused() && stream.listenerCount("readable") === 0;
    return !stream.readableEnded && !isPaused && stream.readableLength === 0;
  }

  get awaitsReader(): boolean {
    return this.#stream.writableLength > 0;
  }

  onEnd(listener: (code: string) => void): void {
    this.#listeners.push(listener);
  }

  cut(): void {
    // One that was closed may wait for somebody to read what has come.
    if (this.#stream.closed) this.#stream.destroy();
    else closeStream(this.#stream, constants.NGHTTP2_CANCEL);
  }

  endConnection(): void {
    const session = this.#session;
    if (session === undefined || session.closed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.close();
  }

  #end(): void {
    const { sentHeaders, sentTrailers, aborted } = this.#stream;
    const status = sentTrailers?.["grpc-status"] ?? sentHeaders?.["grpc-status"];
    const isCut = aborted || sentHeaders === undefined;
    const code = isCut ? CUT_OFF : codeOf(status, sentHeaders[":status"]);
    for (const listener of this.#listeners) listener(code);
  }
}
