import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type Exchange, pathOf, type RequestHead } from "./exchange.ts";
import { CUT_OFF, codeOf } from "./exchange-code.ts";
import { type Scope, scopeNeeded } from "./scope.ts";

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

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
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
    this.#bytes = countBytes(stream);
    stream.once("close", () => this.#end());
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
    // What was paused holds what we have not yet taken.
    return !stream.readableEnded && !stream.isPaused() && stream.readableLength === 0;
  }

  get awaitsReader(): boolean {
    return this.#stream.writableLength > 0;
  }

  onEnd(listener: (code: string) => void): void {
    this.#listeners.push(listener);
  }

  cut(): void {
    this.#stream.close(constants.NGHTTP2_CANCEL);
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

interface StreamBytes {
  received: number;
  sent: number;
}

/**
 * Counts the bytes of a stream, which Node does only for whole connections: where it hands on what has
 * come, and where it takes what is to go, both parts of the contract of streams.
 */
function countBytes(stream: ServerHttp2Stream): StreamBytes {
  const bytes = { received: 0, sent: 0 };
  const { push, _write, _writev } = stream;
  stream.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    bytes.received += chunk?.length ?? 0;
    return push.call(stream, chunk, encoding);
  };
  stream._write = (chunk: Uint8Array, encoding, done) => {
    bytes.sent += chunk.length;
    _write.call(stream, chunk, encoding, done);
  };
  stream._writev = (chunks, done) => {
    for (const { chunk } of chunks) bytes.sent += (chunk as Uint8Array).length;
    _writev?.call(stream, chunks, done);
  };
  return bytes;
}
