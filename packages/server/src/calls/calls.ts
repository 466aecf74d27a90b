import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextValues,
} from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { MemoryLedger } from "@tvix/castore";
import { callPrincipal, isRequestComplete, onAnswered } from "@tvix/castore-grpc";
import type { Logger } from "pino";
import type { Admission, Admitted } from "../admission/admission.ts";
import type { EventLoopTurns } from "../admission/event-loop-turns.ts";
import type { NodeRequest, NodeResponse } from "../node-messages.ts";
import { NEVER_COMPRESS } from "../routes.ts";
import { answerStatus } from "./answer-status.ts";
import { callerAddress, callSubject, logFailure, logFailures } from "./call-log.ts";
import { noteSubject, noteSubjects } from "./call-subject.ts";
import { takeDeadline } from "./deadline.ts";
import { DirectCalls } from "./direct-calls.ts";
import { BinaryFieldCounter, JsonFieldCounter } from "./field-counter.ts";
import { isGrpcWebText, toBinaryRequest, toTextResponse } from "./grpc-web-text.ts";
import { callSignal, MESSAGE_COMPRESSIONS } from "./message-compressions.ts";
import { withReadableStatus } from "./readable-answer.ts";
import { type RecordedMethod, recordMethods } from "./recorded-methods.ts";
import { blameClient } from "./request-failures.ts";
import { RequestMemory } from "./request-memory.ts";
import { callConnection, takeTurns } from "./take-turns.ts";

/** Headers of a response. */
export type ResponseHeaders = Readonly<Record<string, string | number | string[] | undefined>>;

/** What calls need. */
export interface CallsOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Longest message accepted of any call, in bytes; most take only short ones. */
  readonly maxMessageBytes: number;
  /** Knows who has sent a request, and how long it may take. */
  readonly admission: Admission;
  /** What long messages draw from. */
  readonly memory: MemoryLedger;
  /** When there is time for a message. */
  readonly turns: EventLoopTurns;
  readonly log: Logger;
}

/** Time that a call has to answer by itself when its deadline has passed, in milliseconds. */
const GRACE_MS = 1000;

/** gRPC itself, but not gRPC-Web. */
const GRPC = /^application\/grpc(\+[a-z]+)?\s*(;|$)/i;

/** Whether a request is a call of gRPC itself. */
export function isGrpc(contentType: string | undefined): boolean {
  return GRPC.test(contentType ?? "");
}

/**
 * Every call of gRPC, gRPC-Web and Connect, whichever version of HTTP it comes by, but for those of
 * blobs over HTTP/2: here is what holds for all of them.
 */
export class Calls {
  readonly #handlers: ReadonlyMap<string, UniversalHandler>;
  readonly #direct: DirectCalls;
  readonly #admission: Admission;
  readonly #memory: MemoryLedger;
  readonly #methods: Map<string, RecordedMethod> = new Map();
  readonly #log: Logger;

  constructor({ routes, maxMessageBytes, admission, memory, turns, log }: CallsOptions) {
    const interceptors = [logFailures(log), noteSubjects(), takeTurns(turns), blameClient];
    const router = createConnectRouter({
      interceptors,
      readMaxBytes: maxMessageBytes,
      compressMinBytes: NEVER_COMPRESS,
      acceptCompression: [...MESSAGE_COMPRESSIONS],
      // What nobody knows would be kept, an object for each field, and looked at by nobody.
      binaryOptions: { readUnknownFields: false },
    });
    routes(recordMethods(router, this.#methods, maxMessageBytes));
    this.#direct = new DirectCalls(this.#methods, { interceptors });
    this.#handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    this.#admission = admission;
    this.#memory = memory;
    this.#log = log;
  }

  /** `/service/method` of every call. */
  get paths(): Iterable<string> {
    return this.#handlers.keys();
  }

  /**
   * A call of gRPC over HTTP/2 that is answered on its stream; undefined for every other.
   *
   * @param handOn answers it where it turns out to need {@link serve}
   */
  findDirect(
    headers: IncomingHttpHeaders,
  ): ((stream: ServerHttp2Stream, handOn: () => void) => void) | undefined {
    const call = this.#direct.find(headers);
    if (call === undefined) return undefined;
    return (stream, handOn) => {
      const { session } = stream;
      const values = valuesOf(this.#admission.findByKey(stream), {
        from: session?.socket.remoteAddress,
        connection: session,
        isComplete: () => !stream.aborted,
        answer: stream,
      });
      const onError = (error: unknown) =>
        logFailure(this.#log, error, { call: String(headers[":path"]), from: values.get(callerAddress) });
      call.serve(stream, headers, values, handOn, onError).catch((error) => {
        this.#log.debug({ err: error, call: headers[":path"] }, "a call was cut off");
        stream.destroy();
      });
    };
  }

  /**
   * Answers a call; one of a method that is not there with UNIMPLEMENTED.
   *
   * @param headers of the response, beside those of the call
   */
  async serve(request: NodeRequest, response: NodeResponse, headers: ResponseHeaders = {}): Promise<void> {
    const path = request.url?.replace(/\?.*$/, "") ?? "";
    const [handler, recorded] = [this.#handlers.get(path), this.#methods.get(path)];
    if (handler === undefined || recorded === undefined) {
      const message = `there is no method ${path}`;
      return answerStatus(request, response, { code: Code.Unimplemented, httpStatus: 404, message });
    }
    try {
      const admitted = this.#admission.find(request);
      if (admitted !== undefined) admitted.code = "ok";
      const values = valuesOf(admitted, {
        from: request.socket?.remoteAddress,
        connection: "stream" in request ? request.stream.session : request.socket,
        isComplete: () => !("stream" in request && request.stream.aborted),
        answer: response,
      });
      const received = keepConnection(
        universalRequestFromNodeRequest(request, response, undefined, values),
        request,
      );
      const timer = endAtDeadline(takeDeadline(received.header), request, response);
      const isText = isGrpcWebText(received.header);
      const asked = isText ? toBinaryRequest(received) : received;
      const { maxMessageBytes } = recorded;
      const memory = this.#memoryOf(asked, request, recorded);
      response.once("close", () => memory.release());
      const body = isAsyncIterable(asked.body) ? memory.watch(asked.body) : asked.body;
      forgetLength(asked.header, maxMessageBytes);
      await callSignal.run(asked.signal, async () => {
        const answer = await handler({ ...asked, body });
        clearTimeout(timer);
        if (response.writableEnded) return;
        setHeaders(response, headers);
        if (answer.status === 405) setHeaders(response, { allow: [...handler.allowedMethods].join(", ") });
        const readable = await withReadableStatus(answer, (code) => {
          if (admitted !== undefined) admitted.code = code;
        });
        const answered = isText ? toTextResponse(readable) : readable;
        await universalResponseToNodeResponse(endedWith(response, answered), response);
      });
    } catch (error) {
      // A client that leaves is no news; what failed of ours has been logged where it failed.
      if (ConnectError.from(error).code !== Code.Aborted) {
        this.#log.debug({ err: error, call: path }, "a call was cut off");
      }
    }
  }

  #memoryOf(
    { header, signal }: UniversalServerRequest,
    request: NodeRequest,
    { service, method, maxMessageBytes }: RecordedMethod,
  ): RequestMemory {
    const type = header.get("content-type") ?? "";
    const isUnary = UNARY.test(type);
    const isJson = /\bjson\b/.test(type);
    // As Connect reads them: others say nothing.
    const streamed = CONNECT.test(type) ? "connect-content-encoding" : "grpc-encoding";
    const encoding = header.get(isUnary ? "content-encoding" : streamed) ?? "identity";
    return new RequestMemory({
      memory: this.#memory,
      signal,
      maxMessageBytes,
      isUnary,
      announcedBytes: lengthOf(header),
      makeCounter: () => (isJson ? new JsonFieldCounter() : new BinaryFieldCounter(method.input)),
      encoding: encoding === "identity" ? undefined : encoding,
      onBoundary: UNHURRIED.test(`${service.typeName}/${method.name}`)
        ? (isBetween) => this.#admission.setBetweenMessages(request, isBetween)
        : undefined,
    });
  }
}

/** What is known of a call beside its messages. */
interface CallOrigin {
  readonly from: string | undefined;
  readonly connection: object | undefined;
  readonly isComplete: () => boolean;
  /** What the answer is sent on. */
  readonly answer: { readonly closed: boolean; once(event: "close", listener: () => void): unknown };
}

/** The same for those who answer it. */
function valuesOf(
  admitted: Admitted | undefined,
  { from, connection, isComplete, answer }: CallOrigin,
): ContextValues {
  return createContextValues()
    .set(isRequestComplete, isComplete)
    .set(callerAddress, from)
    .set(callConnection, connection)
    .set(callPrincipal, admitted?.caller)
    .set(onAnswered, (done) => {
      if (answer.closed) done();
      else answer.once("close", done);
    })
    .set(callSubject, () => admitted?.subject)
    .set(noteSubject, (subject) => {
      if (admitted !== undefined) admitted.subject = subject;
    });
}

/** An answer whose body is let go when its client has left: whoever writes it may wait for ever then. */
function endedWith(response: NodeResponse, answer: UniversalServerResponse): UniversalServerResponse {
  const { body } = answer;
  if (body === undefined) return answer;
  const iterator = body[Symbol.asyncIterator]();
  response.once("close", () => void iterator.return?.().catch(() => {}));
  return { ...answer, body: { [Symbol.asyncIterator]: () => iterator } };
}

/** A body that can be left in the middle: over HTTP/1.1 that would end the connection, and with it the answer. */
function keepConnection(received: UniversalServerRequest, request: NodeRequest): UniversalServerRequest {
  if ("stream" in request) return received;
  const body = { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) };
  return { ...received, body };
}

/** Messages with heads, as Connect has them. */
const CONNECT = /^application\/connect\b/i;

/** One message as a whole body, as Connect has it for calls without streams. */
const UNARY = /^application\/(proto|json)\b/i;

/** Connect makes room for all of a body before any of it has come, where its length is told and no more than it may be. */
function forgetLength(header: Headers, maxMessageBytes: number): void {
  const length = lengthOf(header);
  if (length !== undefined && length <= maxMessageBytes) header.delete("content-length");
}

function lengthOf(header: Headers): number | undefined {
  const length = header.get("content-length");
  return length === null ? undefined : Number(length);
}

function isAsyncIterable(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** Calls whose client may have much to do between two messages: it uploads the blobs of a directory first. */
const UNHURRIED = /\.DirectoryService\/Put$/;

/** Ends a call whose client has not sent all of it when its deadline has passed: nobody else does. */
function endAtDeadline(
  deadlineMs: number | undefined,
  request: NodeRequest,
  response: NodeResponse,
): NodeJS.Timeout | undefined {
  if (deadlineMs === undefined) return undefined;
  const end = () => {
    if (request.complete || response.headersSent || response.writableEnded) return;
    const message = "the deadline has passed";
    answerStatus(request, response, { code: Code.DeadlineExceeded, httpStatus: 504, message });
    request.resume();
  };
  return setTimeout(end, deadlineMs + GRACE_MS).unref();
}

function setHeaders(response: NodeResponse, headers: ResponseHeaders): void {
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
}
