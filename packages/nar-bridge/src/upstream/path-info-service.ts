import { encodeHex } from "@tvix/byte-stream";
import {
  ByteBudget,
  CastoreError,
  type OperationOptions,
  SingleFlight,
  UNLIMITED_MEMORY,
} from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import type { IngestServices, PathInfo, PathInfoService } from "@tvix/store";
import {
  DEFAULT_LIMITS,
  type NarBridgeLimits,
  type NarBridgeOptions,
  type UpstreamOptions,
} from "../options.ts";
import { pathInfoOf } from "../write/narinfo.ts";
import { AskedUpstream, type UpstreamLog } from "./asked-upstream.ts";
import { fetchNarInfo } from "./narinfo.ts";
import { fetchNar, type NarDestination } from "./pull-nar.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import { WebClient } from "./web-client.ts";

/** How an {@link UpstreamPathInfoService} works. */
export interface UpstreamPathInfoOptions
  extends Pick<NarBridgeOptions, "memory" | "meter">,
    Pick<UpstreamOptions, "headers"> {
  readonly limits?:
    | Partial<Pick<NarBridgeLimits, "maxNarBytes" | "maxWindowBytes" | "underWayBytes" | "uploadTimeoutMs">>
    | undefined;
  /** Default: nothing is written. */
  readonly log?: UpstreamLog | undefined;
}

/**
 * The paths of a Nix binary cache: `nix` of tvix-store. Looking one up fetches its NAR and stores the
 * contents, since a path info says what they are; so there is mostly a cache in front of it. Nothing can
 * be put there, and nothing is listed.
 *
 * What it cannot answer fails with CastoreError UNAVAILABLE when that may pass, INVALID_RESPONSE else.
 */
export class UpstreamPathInfoService implements PathInfoService {
  readonly #asked: AskedUpstream;
  readonly #destination: NarDestination;
  readonly #maxNarBytes: number;
  readonly #client: WebClient;
  #isClosed = false;
  readonly #fetching = new SingleFlight<PathInfo | undefined>();

  /** @param services take the contents */
  constructor(upstream: Upstream, services: IngestServices, options: UpstreamPathInfoOptions = {}) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const decoders = { memory: options.memory ?? UNLIMITED_MEMORY, maxWindowBytes: limits.maxWindowBytes };
    this.#asked = new AskedUpstream(upstream, options.log ?? { warn: () => {} }, options.meter);
    this.#client = new WebClient(decoders, options.headers);
    this.#maxNarBytes = limits.maxNarBytes;
    this.#destination = { ...services, decoders, limits, underWay: new ByteBudget(limits.underWayBytes) };
  }

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    return await this.#fetching.run(encodeHex(digest), (leaving) => this.#fetch(digest, leaving), signal);
  }

  put(): Promise<never> {
    return this.checkPut();
  }

  async checkPut(): Promise<never> {
    const { host } = this.#asked.upstream.url;
    throw new CastoreError("READ_ONLY", `the binary cache ${host} takes no path infos`);
  }

  async *list(): AsyncIterable<PathInfo> {
    // A binary cache does not say what it has.
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#fetching.abort(closed());
    await this.#fetching.settled();
    await this.#client.close();
  }

  async #fetch(digest: Uint8Array, signal: AbortSignal): Promise<PathInfo | undefined> {
    if (this.#isClosed) throw closed();
    const name = `${encodeNixbase32(digest)}.narinfo`;
    const { upstream } = this.#asked;
    const { found, mayHaveIt } = await this.#asked.ask(name, signal, () =>
      fetchNarInfo(this.#client, upstream, digest, signal, this.#maxNarBytes),
    );
    signal.throwIfAborted();
    if (found === undefined) {
      if (!mayHaveIt) return undefined;
      throw new CastoreError("UNAVAILABLE", `the binary cache ${upstream.url.host} cannot be asked now`);
    }
    try {
      const node = await fetchNar(this.#destination, this.#client, upstream, found, signal);
      this.#asked.succeeded();
      return pathInfoOf(found, node);
    } catch (cause) {
      signal.throwIfAborted();
      if (!(cause instanceof UpstreamError)) throw cause;
      this.#asked.failed(name, cause);
      throw new CastoreError(cause.passing ? "UNAVAILABLE" : "INVALID_RESPONSE", cause.message, { cause });
    }
  }
}

function closed(): CastoreError {
  return new CastoreError("CLOSED", "the upstream is not used any more");
}
