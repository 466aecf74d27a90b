import type { NarInfo } from "@tvix/narinfo";
import type { FastifyBaseLogger } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { fetchNarInfo } from "./narinfo.ts";
import type { Upstream } from "./upstream.ts";

/** Time for which an upstream that has failed is not asked, in milliseconds. */
const REST_MS = 30_000;

/** An upstream that is left alone for a while after it has failed, so that nobody waits for it. */
export class AskedUpstream {
  readonly upstream: Upstream;
  readonly #log: FastifyBaseLogger;
  #restsUntil = 0;

  constructor(upstream: Upstream, log: FastifyBaseLogger) {
    this.upstream = upstream;
    this.#log = log;
  }

  /** The narinfo of a path; undefined when it has none, none that can be trusted, or has failed. */
  async narInfo(digest: Uint8Array, closing: AbortSignal): Promise<NarInfo | undefined> {
    if (Date.now() < this.#restsUntil) return undefined;
    try {
      return await fetchNarInfo(this.upstream, digest, closing);
    } catch (error) {
      if (closing.aborted) return undefined;
      if (!NarBridgeError.is(error) || error.code !== "UNTRUSTED") this.failed();
      this.#log.warn({ err: error, upstream: this.upstream.url.host }, "an upstream has no usable narinfo");
      return undefined;
    }
  }

  /** Notes a failure. */
  failed(): void {
    this.#restsUntil = Date.now() + REST_MS;
  }
}
