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
import { DEFAULT_MAX_MESSAGE_BYTES } from "../grpc/message-limit.ts";
import type { WholeBlobTransport } from "../grpc/whole-blob-transport.ts";
import { bodyOf } from "./body.ts";
import { Connection, type ServerAddress } from "./connection.ts";
import { blobChunkHead, frameHead, readMessages } from "./framing.ts";
import { headersFault, noAnswer } from "./no-answer.ts";
import { putWholeBlob } from "./put-whole-blob.ts";
import { errorOf } from "./status-headers.ts";
import { formatTimeout } from "./timeout.ts";
import { writeParts } from "./write.ts";

/** Options of {@link createGrpcTransport}. */
export interface GrpcTransportOptions {
  /** Longest message accepted from the server, in bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number;
}

/** A transport that holds a connection. */
export interface GrpcTransport extends WholeBlobTransport, AsyncDisposable {
  /** Closes the connection when its calls have ended. */
  close(): Promise<void>;
}

/**
 * gRPC over HTTP/2 in clear text, on `node:http2`: a Connect transport like any other, several
 * times as fast for the bytes of blobs. It connects with the first call, and again when
 * the connection was lost.
 */
export function createGrpcTransport(
  address: ServerAddress,
  options: GrpcTransportOptions = {},
): GrpcTransport {
  const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options;
  // Node stops reading from a socket while it writes to it: when both sides have much to send on
  // one connection, each waits for the other for ever. So uploads have a connection of their own.
  const uploads = new Connection(address);
  const downloads = new Connection(address);
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
    const reset = new AbortController();
    const connection = method.methodKind === "client_streaming" ? uploads : downloads;
    const openStream = await connection.ready(signal);
    const exchange = new ClientExchange(
      connection.name,
      openStream(path, headers, reset.signal),
      reset,
      signal,
    );
    exchange.send(framesOf(method.input, input));
    const responseHeaders = await exchange.headers();
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
      const response = await stream(method, signal, timeoutMs, header, once(input));
      const [message, ...more] = await Array.fromAsync(response.message);
      if (message === undefined || more.length > 0) {
        throw new ConnectError(`${more.length + 1} messages in the response, expected 1`, Code.Internal);
      }
      return { ...response, stream: false, message } as unknown as UnaryResponse<I, O>;
    },
    async putWholeBlob(path, bytes, signal) {
      signal?.throwIfAborted();
      const openStream = await uploads.ready(signal);
      return await putWholeBlob(uploads.name, openStream(path), bytes, signal);
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
  ) {
    this.#where = where;
    this.#stream = stream;
    this.#reset = reset;
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
  send(frames: AsyncIterable<readonly Uint8Array[]>): void {
    void this.#send(frames);
  }

  async #send(frames: AsyncIterable<readonly Uint8Array[]>): Promise<void> {
    try {
      for await (const parts of frames) {
        // The server has answered already and does not want the rest.
        if (this.#stream.destroyed || !this.#stream.writable) return;
        await writeParts(this.#stream, parts);
      }
      this.#stream.end();
    } catch (reason) {
      if (!this.#stream.destroyed) this.fail(reason);
    }
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
      throw this.#failure?.reason ?? error;
    } finally {
      if (!complete) this.#reset.abort();
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    const trailers = this.#trailers ?? {};
    copyHeaders(trailers, trailer);
    const error = errorOf(trailers);
    if (error !== undefined) throw error;
  }
}

async function* framesOf<I extends DescMessage>(
  schema: I,
  messages: AsyncIterable<MessageInitShape<I>>,
): AsyncIterable<readonly Uint8Array[]> {
  const isBlobChunk = schema.name === "BlobChunk";
  for await (const message of messages) {
    const data = isBlobChunk ? (message as { data?: Uint8Array }).data : undefined;
    if (data !== undefined) {
      yield [blobChunkHead(data.length), data];
    } else {
      const encoded = toBinary(schema, create(schema, message));
      yield [frameHead(encoded.length), encoded];
    }
  }
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
