import type { IncomingHttpHeaders } from "node:http2";
import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import { parseTimeout } from "@tvix/castore-grpc/http2";
import type { RecordedMethod } from "./recorded-methods.ts";

/** What a method knows of the call that it answers. Headers are made of it where anybody asks: hardly anybody does. */
export class DirectContext implements HandlerContext {
  readonly service: RecordedMethod["service"];
  readonly method: RecordedMethod["method"];
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly url: string;
  readonly signal: AbortSignal;
  readonly values: ContextValues;
  readonly responseHeader: Headers = NO_HEADERS;
  readonly responseTrailer: Headers = NO_HEADERS;
  readonly #headers: IncomingHttpHeaders;
  readonly #began = performance.now();

  constructor(
    { service, method }: RecordedMethod,
    headers: IncomingHttpHeaders,
    { signal, values }: Pick<HandlerContext, "signal" | "values">,
  ) {
    this.service = service;
    this.method = method;
    this.url = `http://localhost${headers[":path"]}`;
    this.signal = signal;
    this.values = values;
    this.#headers = headers;
  }

  get requestHeader(): Headers {
    const entries = Object.entries(this.#headers).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string" && !entry[0].startsWith(":"),
    );
    return new Headers(entries);
  }

  timeoutMs(): number | undefined {
    const timeout = parseTimeout(this.#headers["grpc-timeout"]);
    return timeout === undefined ? undefined : timeout - (performance.now() - this.#began);
  }
}

/** No method sets any: what were set here would not be sent. */
export const NO_HEADERS: Headers = new Headers();
