import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import {
  answerCall,
  framedMessage,
  frameHead,
  HANDED_ON,
  isPlainCall,
  onlyMessage,
  readMessages,
  sendHeaders,
  writeParts,
} from "@tvix/castore-grpc/http2";
import { DirectContext, NO_HEADERS } from "./direct-context.ts";
import { hasOneRequest, type OneRequestMethod, type RecordedMethod } from "./recorded-methods.ts";
import { shortRequest } from "./short-request.ts";
import { withNext } from "./with-next.ts";

/** Longest request that is answered here, in bytes: what it takes when it is parsed is not accounted for either way. */
const SHORT_BYTES = 1024;

type Handler = ReturnType<Interceptor>;
type Request = Parameters<Handler>[0];
type Response = Awaited<ReturnType<Handler>>;
type Output = OneRequestMethod["method"]["output"];

/** A call that is answered on its stream. */
export interface DirectCall {
  /**
   * Answers it.
   *
   * @param handOn answers it where its request is long
   * @param onError sees every failure that no interceptor can have seen
   */
  serve(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    values: ContextValues,
    handOn: () => void,
    onError: (error: unknown) => void,
  ): Promise<void>;
}

/** What all of these calls have in common. */
export interface DirectCallOptions {
  /** As those of Connect. */
  readonly interceptors: readonly Interceptor[];
}

/**
 * Calls of gRPC over HTTP/2 whose request is one short message, answered on their streams: such as what is known of a path, a
 * directory, whether there is a blob. Connect, which serves every protocol by one, takes several times as long for each.
 */
export class DirectCalls {
  readonly #calls: ReadonlyMap<string, DirectCall>;

  constructor(methods: ReadonlyMap<string, RecordedMethod>, options: DirectCallOptions) {
    this.#calls = new Map(
      [...methods].flatMap(([path, method]) =>
        hasOneRequest(method) ? [[path, { serve: directCall(method, options) }]] : [],
      ),
    );
  }

  /** Undefined for every other call, and for encodings that only the ordinary handlers know. */
  find(headers: IncomingHttpHeaders): DirectCall | undefined {
    return isPlainCall(headers) ? this.#calls.get(headers[":path"] ?? "") : undefined;
  }
}

function directCall(recorded: OneRequestMethod, { interceptors }: DirectCallOptions): DirectCall["serve"] {
  const { method, maxMessageBytes } = recorded;
  return async (stream, headers, values, handOn, onError) => {
    let isHandedOn = false;
    // Interceptors have seen what became an error of Connect.
    const onFailure = (error: unknown) => {
      if (!(error instanceof ConnectError)) onError(error);
    };
    await answerCall(stream, headers, onFailure, async (signal) => {
      const body = await shortRequest(stream, SHORT_BYTES, signal);
      if (body === undefined) {
        isHandedOn = true;
        return HANDED_ON;
      }
      const message = await messageOf(body, method, maxMessageBytes);
      const context = new DirectContext(recorded, headers, { signal, values });
      const handler = handlerOf(recorded, context);
      const handle = interceptors.reduceRight<Handler>((next, interceptor) => interceptor(next), handler);
      const response = await untilAborted(handle(requestOf(recorded, message, context)), signal);
      if (!response.stream)
        return framedMessage(toBinary(method.output, response.message as MessageShape<Output>));
      await sendAll(stream, method.output, response.message, signal);
      return undefined;
    });
    if (isHandedOn) handOn();
  };
}

/** What interceptors are given. */
function requestOf({ service, method }: OneRequestMethod, message: unknown, context: DirectContext): Request {
  const isStreaming = method.methodKind === "server_streaming";
  const { url, requestMethod, signal, values: contextValues } = context;
  const about = { service, method, requestMethod, url, signal, header: NO_HEADERS, contextValues };
  return { ...about, stream: isStreaming, message: isStreaming ? streamOf(message) : message } as Request;
}

/** What answers when all interceptors have had their say. */
function handlerOf({ service, method, run }: OneRequestMethod, context: DirectContext): Handler {
  const common = { service, method, header: NO_HEADERS, trailer: NO_HEADERS };
  return async (request) => {
    if (!request.stream) {
      const made = (await run(request.message, context)) as MessageInitShape<Output>;
      return { ...common, stream: false, message: create(method.output, made) } as Response;
    }
    const answers = run(await onlyOne(request.message), context);
    return { ...common, stream: true, message: answers } as Response;
  };
}

async function messageOf(
  body: Uint8Array,
  { input }: OneRequestMethod["method"],
  maxBytes: number,
): Promise<unknown> {
  const bytes = await onlyMessage(readMessages(streamOf(body), maxBytes));
  try {
    return fromBinary(input, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new ConnectError(`message is no ${input.name}`, Code.InvalidArgument, undefined, undefined, cause);
  }
}

async function sendAll(
  stream: ServerHttp2Stream,
  output: Output,
  answers: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = withNext(answers, (next) => untilAborted(next(), signal))[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await iterator.next();
      isOver = done === true;
      if (isOver) return;
      const bytes = toBinary(output, create(output, value as MessageInitShape<Output>));
      sendHeaders(stream);
      await writeParts(stream, [frameHead(bytes.length), bytes], signal);
    }
  } finally {
    // Whoever waits for something else in there hears of it later, or never.
    if (!isOver) void iterator.return?.().catch(() => {});
  }
}

/** What a promise resolves with, unless the signal is aborted first. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody else waits for it.
    promise.catch(() => {});
    throw signal.reason;
  }
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function* streamOf<T>(only: T): AsyncGenerator<T, void, undefined> {
  yield only;
}

async function onlyOne<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
