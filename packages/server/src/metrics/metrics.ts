import type { MemoryLedger } from "@tvix/castore";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ExchangeObserver } from "../admission/admission.ts";
import type { Exchange } from "../admission/exchange.ts";
import { addStoreMetrics, type StoreFigures } from "./store-metrics.ts";
import type { UpstreamStates } from "./upstream-states.ts";

/** What is measured beside requests. */
export interface MetricsSources {
  /** Connections that are open. */
  readonly connections: () => number;
  /** What uploads and decoders draw from. */
  readonly memory: MemoryLedger | undefined;
  readonly upstreams: UpstreamStates;
  readonly store: StoreFigures | undefined;
}

/** Gauges of the library that are called what only counters are. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

/** Bounds of the buckets of times, in seconds. */
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/** What a server tells Prometheus: names and units as its documents ask for them. */
export class Metrics implements ExchangeObserver {
  readonly #registry = new Registry();
  readonly #requests: Counter<"request" | "code">;
  readonly #seconds: Histogram<"request">;
  readonly #open: Gauge<"request">;
  readonly #received: Counter<"request">;
  readonly #sent: Counter<"request">;

  constructor({ connections, memory, upstreams, store }: MetricsSources) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    this.#requests = new Counter({
      name: "tvix_requests_total",
      help: "Requests that have ended, by what they were and the code they ended with.",
      labelNames: ["request", "code"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "tvix_request_duration_seconds",
      help: "Time from the head of a request to the end of its answer.",
      labelNames: ["request"],
      buckets: SECONDS,
      registers,
    });
    this.#open = new Gauge({
      name: "tvix_requests_in_progress",
      help: "Requests that have not ended.",
      labelNames: ["request"],
      registers,
    });
    this.#received = new Counter({
      name: "tvix_request_received_bytes_total",
      help: "Bytes of the bodies of requests that have ended, as they came.",
      labelNames: ["request"],
      registers,
    });
    this.#sent = new Counter({
      name: "tvix_request_sent_bytes_total",
      help: "Bytes of answers that have ended, as they went out.",
      labelNames: ["request"],
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge("tvix_connections", "Connections that are open.", connections);
    upstreams.register(this.#registry);
    if (store !== undefined) addStoreMetrics(this.#registry, store);
    if (memory === undefined) return;
    gauge("tvix_memory_limit_bytes", "Memory for uploads and decoders.", () => memory.capacity);
    gauge("tvix_memory_held_bytes", "What of it is held.", () => memory.held);
    gauge("tvix_memory_waiting", "Work that waits for memory.", () => memory.waiting);
  }

  begin(exchange: Exchange, request: string): (code: string) => void {
    const start = performance.now();
    this.#open.inc({ request });
    return (code) => {
      this.#open.dec({ request });
      this.#requests.inc({ request, code });
      this.#seconds.observe({ request }, (performance.now() - start) / 1000);
      this.#received.inc({ request }, exchange.received);
      this.#sent.inc({ request }, exchange.sent);
    };
  }

  /** The type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, as Prometheus reads it. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
