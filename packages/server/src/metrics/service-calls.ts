import type { ObserveCall } from "@tvix/castore";
import { Histogram, type Registry } from "prom-client";
import type { ServiceKind } from "../compose/service-kind.ts";

/** Bounds of the buckets of times, in seconds. */
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

const LABELS = ["service", "name", "method", "outcome"] as const;

/** What has become of the calls of services that a composition has observed. */
export class ServiceCalls {
  readonly #histogram: Histogram<(typeof LABELS)[number]> = new Histogram({
    name: "tvix_service_call_seconds",
    help: "Calls of services of the type metrics, by what came of them; of a stream until its end.",
    labelNames: LABELS,
    buckets: SECONDS,
    registers: [],
  });

  /** @param name of the service in the composition */
  observerOf(service: ServiceKind, name: string): ObserveCall {
    return ({ method, seconds, outcome }) =>
      this.#histogram.observe({ service, name, method, outcome }, seconds);
  }

  /** Tells of them. */
  register(registry: Registry): void {
    registry.registerMetric(this.#histogram);
  }
}
