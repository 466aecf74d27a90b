import { NarBridgeError } from "../errors.ts";
import type { Upstream } from "./upstream.ts";

/** More about a failure of an upstream. */
export interface UpstreamFault extends ErrorOptions {
  /** Whether it may be over in a moment: a connection that failed, an answer of 5xx or 429. */
  readonly passing?: boolean;
  /** Whether it is the upstream as a whole that failed, and not what was asked for. Default false. */
  readonly ofHost?: boolean;
  /** When to come again, in milliseconds, where the upstream has said so. */
  readonly retryAfterMs?: number | undefined;
}

/** A failure of an upstream. */
export class UpstreamError extends NarBridgeError {
  readonly passing: boolean;
  readonly ofHost: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(upstream: Pick<Upstream, "url">, why: string, fault: UpstreamFault = {}) {
    const { passing = false, ofHost = false, retryAfterMs, ...options } = fault;
    // What clients are told names the upstream, and nothing of what it said.
    const text = `the upstream ${upstream.url.host} ${why}`;
    super(passing ? "UPSTREAM_UNAVAILABLE" : "UPSTREAM_FAILED", text, options);
    this.passing = passing;
    this.ofHost = ofHost;
    this.retryAfterMs = retryAfterMs;
  }
}
