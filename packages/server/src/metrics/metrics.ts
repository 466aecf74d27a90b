import type { MemoryLedger } from "@tvix/castore";
import { Gauge, Registry } from "prom-client";
import type { ExchangeObserver } from "../admission/admission.ts";
import type { Exchange } from "../admission/exchange.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { noteEnd, RequestCounts } from "./request-counts.ts";
import type { ServiceCalls } from "./service-calls.ts";
import { addStoreMetrics, type StoreFigures } from "./store-metrics.ts";
import type { UpstreamStates } from "./upstream-states.ts";

/** What is measured beside requests. */
export interface MetricsSources {
  /** Connections that are open. */
  readonly connections: () => number;
  /** What requests draw from. */
  readonly memory: MemoryLedger | undefined;
  readonly upstreams: UpstreamStates;
  readonly store: StoreFigures | undefined;
  readonly services: ServiceCalls | undefined;
}

/** What a server tells Prometheus: names and units as its documents ask for them. */
export class Metrics implements ExchangeObserver {
  readonly #registry = new Registry();
  readonly #requests = new RequestCounts();

  constructor({ connections, memory, upstreams, store, services }: MetricsSources) {
    const registers = [this.#registry];
    addProcessMetrics(this.#registry);
    this.#requests.register(this.#registry);
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
    services?.register(this.#registry);
    if (store !== undefined) addStoreMetrics(this.#registry, store);
    if (memory === undefined) return;
    gauge("tvix_memory_limit_bytes", "Memory for requests.", () => memory.capacity);
    gauge("tvix_memory_held_bytes", "What of it is held.", () => memory.held);
    gauge("tvix_memory_waiting", "Work that waits for memory.", () => memory.waiting);
  }

  begin(exchange: Exchange, request: string): (code: string) => void {
    const start = performance.now();
    const count = this.#requests.begin(request);
    return (code) => noteEnd(count, code, (performance.now() - start) / 1000, exchange);
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
