import type { NarInfo } from "@tvix/narinfo";
import type { FastifyBaseLogger } from "fastify";
import { NarBridgeError } from "../errors.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";

/** Failures in a row after which an upstream is not asked for a while. */
const FAILURES = 3;

/** How long, in milliseconds, unless it has said when to come again. */
const REST_MS = 30_000;

/**
 * An upstream that is left alone for a while after several failures in a row, so that nobody waits
 * for it. What is wrong with one path is no such failure.
 */
export class AskedUpstream {
  readonly upstream: Upstream;
  readonly #log: FastifyBaseLogger;
  #failures = 0;
  #restsUntil = 0;

  constructor(upstream: Upstream, log: FastifyBaseLogger) {
    this.upstream = upstream;
    this.#log = log;
  }

  get isResting(): boolean {
    return Date.now() < this.#restsUntil;
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
      return { found, mayHaveIt: false };
    } catch (error) {
      if (closing.aborted) return { found: undefined, mayHaveIt: true };
      if (!NarBridgeError.is(error)) throw error;
      const upstream = this.upstream.url.host;
      this.#log.warn({ err: error, upstream, what }, "an upstream has no usable answer");
      this.failed(error);
      return { found: undefined, mayHaveIt: error instanceof UpstreamError && error.passing };
    }
  }

  /** Notes that it has answered. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Notes a failure; only those that have to do with the upstream as a whole count. */
  failed(error: unknown): void {
    if (!(error instanceof UpstreamError) || !error.passing) return;
    this.#failures++;
    if (this.#failures < FAILURES) return;
    const restMs = error.retryAfterMs ?? REST_MS;
    this.#restsUntil = Date.now() + restMs;
    this.#failures = 0;
    const upstream = this.upstream.url.host;
    this.#log.warn(
      { upstream, seconds: restMs / 1000 },
      `an upstream has failed ${FAILURES} times and is not asked for a while`,
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
