import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { StreamEndedError } from "@tvix/byte-stream";
import { bodyOf } from "./body.ts";
import { readMessages } from "./framing.ts";
import { headersFault, noAnswer } from "./no-answer.ts";
import type { ReplayedRequest } from "./replay.ts";
import { errorOf } from "./status-headers.ts";
import { writeParts } from "./write.ts";

/** The stream itself is closed when a call is given up. */
const NEVER = new AbortController().signal;

/** One call on one HTTP/2 stream, as its client sees it. */
export class ClientExchange {
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

export function toHeaders(incoming: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  copyHeaders(incoming, headers);
  return headers;
}

function copyHeaders(incoming: IncomingHttpHeaders, headers: Headers): void {
  for (const name in incoming) {
    if (!name.startsWith(":")) headers.set(name, String(incoming[name]));
  }
}
