import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { StreamEndedError } from "@tvix/byte-stream";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../grpc/message-limit.ts";
import type { WholeBlobTransport } from "../grpc/whole-blob-transport.ts";
import { bodyOf } from "./body.ts";
import { Connection, type OpenStream } from "./connection.ts";
import { blobChunkHead, frameHead, readMessages } from "./framing.ts";
import { headersFault, noAnswer, unansweredCall } from "./no-answer.ts";
import { putWholeBlob } from "./put-whole-blob.ts";
import { ReplayBudget, ReplayedRequest, repeating } from "./replay.ts";
import { parseServerAddress, type ServerAddress } from "./server-address.ts";
import { errorOf } from "./status-headers.ts";
import { formatTimeout } from "./timeout.ts";
import { writeParts } from "./write.ts";

/** Options of {@link createGrpcTransport}. */
export interface GrpcTransportOptions {
  /** Longest message that is sent, or accepted from the server, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number;
  /** Time to connect, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /**
   * Time without a byte from the server, while there are calls, after which it is sent a ping, and
   * time that it has to answer, in milliseconds. Default 15 000.
   */
  readonly keepaliveMs?: number;
  /**
   * Time for which one call may wait for a server that says nothing about it, although it answers
   * pings, in milliseconds. Default 15 minutes: the NAR of a large tree takes some to calculate.
   */
  readonly stallTimeoutMs?: number;
  /**
   * Time for which a server that was reached before is tried again when it cannot be reached any
   * more, as while it is restarted, in milliseconds. Default 30 000.
   */
  readonly reconnectMs?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 15_000;
const STALL_TIMEOUT_MS = 900_000;
const RECONNECT_MS = 30_000;

/** A transport that holds a connection. */
export interface GrpcTransport extends WholeBlobTransport, AsyncDisposable {
  /** Closes the connection when its calls have ended. */
  close(): Promise<void>;
}

/**
 * gRPC over HTTP/2 in clear text, on `node:http2`: a Connect transport like any other, several
 * times as fast for the bytes of blobs. It connects with the first call, and again when
 * the connection was lost. A call that nobody has answered is sent again, as long as no more than
 * 16 MiB of its request have gone out: on the new connection of a proxy that ends its connections
 * after so many calls, or when a server has been restarted.
 *
 * @throws RangeError for an address that is not supported
 */
export function createGrpcTransport(
  address: ServerAddress,
  options: GrpcTransportOptions = {},
): GrpcTransport {
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, stallTimeoutMs = STALL_TIMEOUT_MS } = options;
  const {
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    keepaliveMs = KEEPALIVE_MS,
    reconnectMs = RECONNECT_MS,
  } = options;
  const parsed = parseServerAddress(address);
  const timeouts = { connectTimeoutMs, keepaliveMs, reconnectMs };
  const budget = new ReplayBudget();
  // Node stops reading from a socket while it writes to it: when both sides have much to send on
  // one connection, each waits for the other for ever. So uploads have a connection of their own.
  const uploads = new Connection(parsed, timeouts);
  const downloads = new Connection(parsed, timeouts);
  const close = async () => {
    await Promise.all([uploads.close(), downloads.close()]);
  };

  async function stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
  ): Promise<StreamResponse<I, O>> {
    signal?.throwIfAborted();
    const path = `/${method.parent.typeName}/${method.name}`;
    const headers = {
      ...(timeoutMs === undefined ? {} : { "grpc-timeout": formatTimeout(timeoutMs) }),
      ...(header === undefined ? {} : Object.fromEntries(new Headers(header))),
    };
    const connection = method.methodKind === "client_streaming" ? uploads : downloads;
    const request = new ReplayedRequest(framesOf(method.input, input, maxMessageBytes), budget);
    const attempt = async (open: OpenStream) => {
      const reset = new AbortController();
      const opened = open(path, headers, reset.signal);
      const exchange = new ClientExchange(connection.name, opened, reset, signal, stallTimeoutMs);
      exchange.send(request);
      return { exchange, responseHeaders: await exchange.headers() };
    };
    const answered = repeating(connection, signal, attempt, () => request.isWhole);
    answered.then(
      () => request.release(),
      () => request.end(),
    );
    const { exchange, responseHeaders } = await answered;
    const trailer = new Headers();
    return {
      stream: true,
      service: method.parent,
      method: method as StreamResponse<I, O>["method"],
      header: toHeaders(responseHeaders),
      trailer,
      message: parseAll(method.output, exchange.messages(maxMessageBytes, trailer)),
    };
  }

  return {
    stream: stream as Transport["stream"],
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethod & { input: I; output: O },
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
    ): Promise<UnaryResponse<I, O>> {
      const answer = async () => {
        const response = await stream(method, signal, timeoutMs, header, once(input));
        return { response, messages: await Array.fromAsync(response.message) };
      };
      // What broke off in the middle of an answer is asked for once more.
      const { response, messages } = await answer().catch(async (error) => {
        if (unansweredCall(error) === undefined || signal?.aborted === true) throw error;
        return await answer();
      });
      const [message, ...more] = messages;
      if (message === undefined || more.length > 0) {
        throw new ConnectError(`${more.length + 1} messages in the response, expected 1`, Code.Internal);
      }
      return { ...response, stream: false, message } as unknown as UnaryResponse<I, O>;
    },
    async putWholeBlob(path, bytes, signal) {
      signal?.throwIfAborted();
      const put = (open: OpenStream) => putWholeBlob(uploads.name, open(path), bytes, signal);
      return await repeating(uploads, signal, put, () => true);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The stream itself is closed when a call is given up. */
const NEVER = new AbortController().signal;

/** One call on one HTTP/2 stream, as its client sees it. */
class ClientExchange {
  /** The address of the server, for messages. */
  readonly #where: string;
  readonly #stream: ClientHttp2Stream;
  readonly #reset: AbortController;
  readonly #headers: Promise<IncomingHttpHeaders>;
  #answered = false;
  /** Whether the whole response is there; what happens to the stream then does not matter. */
  #complete = false;
  #trailers: IncomingHttpHeaders | undefined;
  /** Why the call cannot succeed, once known. */
  #failure: { readonly reason: unknown } | undefined;

  constructor(
    where: string,
    stream: ClientHttp2Stream,
    reset: AbortController,
    signal: AbortSignal | undefined,
    stallTimeoutMs: number,
  ) {
    this.#where = where;
    this.#stream = stream;
    this.#reset = reset;
    stream.setTimeout(stallTimeoutMs, () => {
      // Where we do not read, or have nothing to send yet, it is not the server that is waited for.
      if (stream.isPaused() || !(stream.writableEnded || stream.writableNeedDrain)) return;
      const text = `${where}: nothing has come for this call for ${stallTimeoutMs / 1000} s`;
      this.fail(new ConnectError(text, Code.DeadlineExceeded));
    });
    const abort = () => this.fail(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", abort));
    stream.once("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    // The server has answered: what is left of the request is not wanted.
    stream.once("end", () => {
      if (stream.aborted || stream.writableEnded) return;
      this.#complete = true;
      // Whoever reads the body learns of its end first.
      queueMicrotask(() => reset.abort());
    });
    this.#headers = new Promise((resolve, reject) => {
      stream.once("response", (headers) => {
        this.#answered = true;
        resolve(headers);
      });
      stream.on("error", (error) => {
        if (this.#complete) return;
        this.#failure ??= { reason: noAnswer(where, error) };
        reject(this.#failure.reason);
      });
      stream.once("close", () => {
        if (!this.#answered) reject(this.#failure?.reason ?? noAnswer(where, undefined));
      });
    });
    // Looked at by `headers`, which may come later.
    this.#headers.catch(() => {});
  }

  /** Gives up the call. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#reset.abort();
  }

  /** Sends the request while the response is being read. */
  send(request: ReplayedRequest): void {
    void this.#send(request);
  }

  async #send(request: ReplayedRequest): Promise<void> {
    try {
      for await (const parts of request.frames()) {
        // The server has answered already and does not want the rest, or the connection broke.
        if (this.#stream.destroyed || !this.#stream.writable) break;
        await writeParts(this.#stream, parts);
      }
      if (this.#stream.writable) this.#stream.end();
    } catch (reason) {
      if (!this.#stream.destroyed) this.fail(reason);
    }
    if (this.#answered) await request.end();
  }

  /** The header of the response; rejects when it brings an error. */
  async headers(): Promise<IncomingHttpHeaders> {
    const headers = await this.#headers;
    const fault = headersFault(this.#where, headers);
    if (fault !== undefined) {
      this.fail(fault);
    } else if (headers["grpc-status"] !== undefined) {
      const error = errorOf(headers);
      if (error !== undefined) this.#failure ??= { reason: error };
    }
    if (this.#failure !== undefined) {
      this.#stream.resume();
      throw this.#failure.reason;
    }
    return headers;
  }

  /** The messages of the response; fails at their end when the trailers say so. */
  async *messages(maxBytes: number, trailer: Headers): AsyncIterable<Uint8Array> {
    let complete = false;
    try {
      yield* readMessages(bodyOf(this.#stream, NEVER), maxBytes);
      complete = true;
    } catch (error) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      // The other end has gone, or has given the call up, and has not said why.
      throw this.#trailers === undefined && isCut(error) ? noAnswer(this.#where, undefined) : error;
    } finally {
      if (!complete) this.#reset.abort();
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    // A connection that breaks may look like an end; the status is what comes last.
    const trailers = this.#trailers ?? (await this.#headers);
    if (trailers["grpc-status"] === undefined) {
      throw noAnswer(this.#where, new Error("the answer ended without a status"));
    }
    copyHeaders(trailers, trailer);
    const error = errorOf(trailers);
    if (error !== undefined) throw error;
  }
}

/** Whether a body was reset, or ended within a message, which is how a connection that breaks may look. */
function isCut(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Canceled || error.cause instanceof StreamEndedError;
}

async function* framesOf<I extends DescMessage>(
  schema: I,
  messages: AsyncIterable<MessageInitShape<I>>,
  maxBytes: number,
): AsyncIterable<readonly Uint8Array[]> {
  const isBlobChunk = schema.name === "BlobChunk";
  for await (const message of messages) {
    const data = isBlobChunk ? (message as { data?: Uint8Array }).data : undefined;
    if (data !== undefined) {
      yield [blobChunkHead(data.length), data];
    } else {
      const encoded = toBinary(schema, create(schema, message));
      if (encoded.length > maxBytes) throw tooLong(schema, encoded.length, maxBytes);
      yield [frameHead(encoded.length), encoded];
    }
  }
}

function tooLong({ name }: DescMessage, length: number, maxBytes: number): ConnectError {
  const text = `${name} of ${length} bytes, and no more than ${maxBytes} are sent in one message`;
  return new ConnectError(text, Code.ResourceExhausted);
}

async function* parseAll<O extends DescMessage>(
  schema: O,
  messages: AsyncIterable<Uint8Array>,
): AsyncIterable<MessageShape<O>> {
  for await (const message of messages) yield fromBinary(schema, message);
}

async function* once<T>(value: T): AsyncIterable<T> {
  yield value;
}

function toHeaders(incoming: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  copyHeaders(incoming, headers);
  return headers;
}

function copyHeaders(incoming: IncomingHttpHeaders, headers: Headers): void {
  for (const name in incoming) {
    if (!name.startsWith(":")) headers.set(name, String(incoming[name]));
  }
}
