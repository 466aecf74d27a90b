import type { NarBridgeMeter } from "@tvix/nar-bridge";
import { Counter, Gauge, type Registry } from "prom-client";

const OUTCOMES = ["found", "missing", "failed"] as const;

interface State {
  readonly counts: Record<(typeof OUTCOMES)[number], number>;
  /** By `performance.now()`. */
  restsUntil: number;
}

/** What has become of the requests to each upstream, and which of them rest. */
export class UpstreamStates implements NarBridgeMeter {
  readonly #states: Map<string, State> = new Map();

  upstreamAnswered(upstream: string, outcome: (typeof OUTCOMES)[number]): void {
    this.#of(upstream).counts[outcome]++;
  }

  upstreamRests(upstream: string, forMs: number): void {
    this.#of(upstream).restsUntil = performance.now() + forMs;
  }

  /** Those that are not asked now, and until when. */
  get resting(): readonly { readonly upstream: string; readonly until: Date }[] {
    return [...this.#states]
      .map(([upstream, { restsUntil }]) => ({ upstream, leftMs: restsUntil - performance.now() }))
      .filter(({ leftMs }) => leftMs > 0)
      .map(({ upstream, leftMs }) => ({ upstream, until: new Date(Date.now() + leftMs) }));
  }

  /** Tells of them. */
  register(registry: Registry): void {
    const states = this.#states;
    new Counter({
      name: "tvix_upstream_requests_total",
      help: "Files that upstreams were asked for, by what came of it.",
      labelNames: ["upstream", "outcome"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [upstream, { counts }] of states) {
          for (const outcome of OUTCOMES) this.inc({ upstream, outcome }, counts[outcome]);
        }
      },
    });
    new Gauge({
      name: "tvix_upstream_resting",
      help: "1 while an upstream is not asked, because it has failed several times.",
      labelNames: ["upstream"],
      registers: [registry],
      collect() {
        for (const [upstream, { restsUntil }] of states) {
          this.set({ upstream }, restsUntil > performance.now() ? 1 : 0);
        }
      },
    });
  }

  #of(upstream: string): State {
    let state = this.#states.get(upstream);
    if (state === undefined) {
      state = { counts: { found: 0, missing: 0, failed: 0 }, restsUntil: 0 };
      this.#states.set(upstream, state);
    }
    return state;
  }
}
