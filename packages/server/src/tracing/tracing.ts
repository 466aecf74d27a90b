import {
  type Attributes,
  context,
  DiagLogLevel,
  diag,
  type Histogram,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type UpDownCounter,
} from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import type { Logger } from "pino";
import type { Admitted, ExchangeObserver } from "../admission/admission.ts";
import type { Exchange } from "../admission/exchange.ts";

/** What spans and metrics come from, unless `OTEL_SERVICE_NAME` says otherwise: as tvix-store has it. */
const SERVICE_NAME = "tvix.store";

/** Time that a collector has for the last of it, in milliseconds. */
const END_MS = 3000;

/** Ends of requests that are a failure of ours. */
const FAILURES = new Set(["internal", "data_loss", "unknown", "unavailable"]);

/**
 * Tells a collector of OpenTelemetry of each request: a span that belongs to the trace of whoever sent it,
 * and how long it took. Where to and how often is what the usual variables of the environment say.
 */
export class Tracing implements ExchangeObserver {
  readonly #sdk: NodeSDK;
  readonly #spans: WeakMap<object, Span> = new WeakMap();
  readonly #seconds: Histogram;
  readonly #open: UpDownCounter;

  constructor(log: Logger) {
    diag.setLogger(
      {
        error: (text) => log.error({ otel: text }, "OpenTelemetry"),
        warn: (text) => log.warn({ otel: text }, "OpenTelemetry"),
        info: () => {},
        debug: () => {},
        verbose: () => {},
      },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
    // Instrumentations would look into every module: what is to be seen is told here.
    this.#sdk = new NodeSDK({ instrumentations: [], ...nameOf(process.env["OTEL_SERVICE_NAME"]) });
    this.#sdk.start();
    const meter = metrics.getMeter("@tvix/server");
    this.#seconds = meter.createHistogram("tvix.request.duration", { unit: "s" });
    this.#open = meter.createUpDownCounter("tvix.requests.active");
  }

  begin(exchange: Exchange, kind: string): (code: string, admitted: Admitted | undefined) => void {
    const { method, path, headers } = exchange.head;
    const start = performance.now();
    const parent = propagation.extract(context.active(), headers);
    const attributes: Attributes = {
      "http.request.method": method,
      "url.path": path,
      "network.protocol.version": exchange.version === "HTTP/2" ? "2" : "1.1",
      ...(exchange.from === undefined ? {} : { "client.address": exchange.from }),
    };
    const span = trace
      .getTracer("@tvix/server")
      .startSpan(kind, { kind: SpanKind.SERVER, attributes }, parent);
    this.#spans.set(exchange.key, span);
    this.#open.add(1, { request: kind });
    return (code, admitted) => {
      this.#open.add(-1, { request: kind });
      this.#seconds.record((performance.now() - start) / 1000, { request: kind, code });
      span.setAttributes({
        "tvix.code": code,
        "tvix.received_bytes": exchange.received,
        "tvix.sent_bytes": exchange.sent,
        ...(admitted === undefined ? {} : { "enduser.id": admitted.caller.name }),
        ...(admitted?.subject === undefined ? {} : { "tvix.subject": admitted.subject }),
      });
      if (FAILURES.has(code) || code.startsWith("5")) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    };
  }

  run(exchange: Exchange, task: () => void): void {
    const span = this.#spans.get(exchange.key);
    if (span === undefined) task();
    else context.with(trace.setSpan(context.active(), span), task);
  }

  /** The headers that tell others to which trace a request belongs that is made now. */
  headers(): Record<string, string> {
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    return carrier;
  }

  /** Sends what has not been sent yet, if that can be soon. */
  async end(): Promise<void> {
    const soon = new Promise<void>((resolve) => setTimeout(resolve, END_MS).unref());
    await Promise.race([this.#sdk.shutdown().catch(() => {}), soon]);
  }
}

function nameOf(given: string | undefined): { serviceName?: string } {
  return given === undefined ? { serviceName: SERVICE_NAME } : {};
}
