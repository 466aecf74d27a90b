import type { NarInfo } from "@tvix/narinfo";
import { NarBridgeError } from "../errors.ts";
import type { NarBridgeMeter } from "../options.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";

/** Where failures of upstreams are written: any logger of pino's kind. */
export interface UpstreamLog {
  warn(details: object, text: string): void;
}

/** Files that have failed one after the other, after which an upstream is not asked for a while. */
const FAILURES = 3;

/** How long, in milliseconds, unless it has said when to come again. */
const REST_MS = 30_000;

/**
 * An upstream that is left alone for a while after several files have failed in a row, so that nobody
 * waits for it. What is wrong with one file is no such failure, however often it is asked for.
 */
export class AskedUpstream {
  readonly upstream: Upstream;
  readonly #log: UpstreamLog;
  readonly #meter: NarBridgeMeter | undefined;
  /** What has failed since the last success: one file that fails again and again says nothing of others. */
  readonly #failing: Set<string> = new Set();
  /** By the clock that goes on evenly, whatever becomes of the time of day. */
  #restsUntil = 0;

  constructor(upstream: Upstream, log: UpstreamLog, meter: NarBridgeMeter | undefined) {
    this.upstream = upstream;
    this.#log = log;
    this.#meter = meter;
  }

  get isResting(): boolean {
    return performance.now() < this.#restsUntil;
  }

  /**
   * What it answers, if it has something that can be used.
   *
   * @param what was asked for, for the log
   */
  async ask<T>(
    what: string,
    closing: AbortSignal,
    request: () => Promise<T | undefined>,
  ): Promise<Answer<T>> {
    if (this.isResting) return { found: undefined, mayHaveIt: true };
    try {
      const found = await request();
      this.succeeded();
      this.#meter?.upstreamAnswered(this.upstream.url.host, found === undefined ? "missing" : "found");
      return { found, mayHaveIt: false };
    } catch (error) {
      if (closing.aborted) return { found: undefined, mayHaveIt: true };
      if (!NarBridgeError.is(error)) throw error;
      const upstream = this.upstream.url.host;
      this.#meter?.upstreamAnswered(upstream, "failed");
      this.#log.warn({ err: error, upstream, what }, "an upstream has no usable answer");
      this.failed(what, error);
      return { found: undefined, mayHaveIt: error instanceof UpstreamError && error.passing };
    }
  }

  /** Notes that it has answered. */
  succeeded(): void {
    this.#failing.clear();
  }

  /** Notes a failure; only those that have to do with the upstream as a whole count. */
  failed(what: string, error: unknown): void {
    if (!(error instanceof UpstreamError) || !error.ofHost) return;
    this.#failing.add(what);
    if (this.#failing.size < FAILURES) return;
    const restMs = error.retryAfterMs ?? REST_MS;
    this.#restsUntil = performance.now() + restMs;
    this.#failing.clear();
    const upstream = this.upstream.url.host;
    this.#meter?.upstreamRests(upstream, restMs);
    this.#log.warn(
      { upstream, seconds: restMs / 1000 },
      `an upstream has failed for ${FAILURES} files and is not asked for a while`,
    );
  }
}

/** What an upstream has answered. */
export interface Answer<T> {
  readonly found: T | undefined;
  /** Whether it may have it all the same, which will show when it can be asked again. */
  readonly mayHaveIt: boolean;
}

/** A narinfo, and who has it. */
export interface OfferedNarInfo {
  readonly info: NarInfo;
  readonly from: AskedUpstream;
}
