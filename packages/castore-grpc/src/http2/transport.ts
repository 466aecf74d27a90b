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
import { BatchService } from "@tvix/protocol/batch";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../message-limit.ts";
import type { WholeBlobTransport } from "../whole-blob-transport.ts";
import { ClientExchange, toHeaders } from "./client-exchange.ts";
import { Connection, type OpenStream } from "./connection.ts";
import { blobChunkHead, frameHead } from "./framing.ts";
import { unansweredCall } from "./no-answer.ts";
import { putWholeBlob } from "./put-whole-blob.ts";
import { ReplayBudget, ReplayedRequest, repeating } from "./replay.ts";
import { type ClientTls, parseServerAddress, type ServerAddress } from "./server-address.ts";
import { formatTimeout } from "./timeout.ts";

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
  /**
   * Time for which a server that could not be reached is not tried again, in milliseconds: calls fail at
   * once with what was seen. Default 0. For whoever has others to ask.
   */
  readonly restMs?: number;
  /** Whom to believe, and what to show, where the address begins with `https`. */
  readonly tls?: ClientTls | undefined;
  /** A token that every call shows (`Authorization: Bearer`), or a function that is asked for each. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 15_000;
const STALL_TIMEOUT_MS = 900_000;
const RECONNECT_MS = 30_000;

/** A transport that holds a connection. */
export interface GrpcTransport extends WholeBlobTransport, AsyncDisposable {
  /**
   * Connects now, and not with the first call.
   *
   * @throws ConnectError UNAVAILABLE when the server cannot be reached
   */
  connect(): Promise<void>;
  /** Closes the connection when its calls have ended; later ones fail, with CLOSED in their trailer. */
  close(): Promise<void>;
}

/**
 * gRPC over HTTP/2, in clear text or over TLS, on `node:http2`: a Connect transport like any other, several
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
    restMs = 0,
  } = options;
  const parsed = parseServerAddress(address, options.tls);
  const timeouts = { connectTimeoutMs, keepaliveMs, reconnectMs, restMs };
  const budget = new ReplayBudget();
  // Node stops reading from a socket while it writes to it: when both sides have much to send on
  // one connection, each waits for the other for ever. So uploads have a connection of their own.
  const uploads = new Connection(parsed, timeouts);
  const downloads = new Connection(parsed, timeouts);
  const { token } = options;
  const authorization = async (): Promise<Record<string, string>> => {
    const text = typeof token === "function" ? await token() : token;
    return text === undefined ? {} : { authorization: `Bearer ${text}` };
  };
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
      ...(await authorization()),
      ...(timeoutMs === undefined ? {} : { "grpc-timeout": formatTimeout(timeoutMs) }),
      ...(header === undefined ? {} : Object.fromEntries(new Headers(header))),
    };
    const connection = isUpload(method) ? uploads : downloads;
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
      const headers = await authorization();
      const put = (open: OpenStream) => putWholeBlob(uploads.name, open(path, headers), bytes, signal);
      return await repeating(uploads, signal, put, () => true);
    },
    async connect() {
      await downloads.ready(undefined);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Whether the request may be long, and the answer is short. */
function isUpload(method: DescMethod): boolean {
  return method.methodKind === "client_streaming" || method === BatchService.method.putBlobs;
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
  for await (const message of messages) yield fromBinary(schema, message, { readUnknownFields: false });
}

async function* once<T>(value: T): AsyncIterable<T> {
  yield value;
}
