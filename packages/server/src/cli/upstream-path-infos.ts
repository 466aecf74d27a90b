import type { MemoryLedger } from "@tvix/castore";
import { UpstreamPathInfoService } from "@tvix/nar-bridge";
import type { Upstream } from "@tvix/nar-bridge/options";
import { CachePathInfoService, CombinedPathInfoService, type PathInfoService } from "@tvix/store";
import type { Logger } from "pino";
import type { LocalServices } from "../services.ts";
import { type BinaryCacheOptions, limitsOfUploads } from "./binary-cache-options.ts";

/** How long binary caches are not asked again for a path that they have not got, in milliseconds. */
const MISSING_MS = 15_000;

/** What path infos of binary caches are made from. */
export interface UpstreamParts {
  /** Takes what they have; their own keys have signed it. */
  readonly stored: LocalServices;
  /** As those who ask may use it. */
  readonly guarded: LocalServices;
  readonly memory: MemoryLedger;
  readonly log: Logger;
  readonly headers: (() => Readonly<Record<string, string>>) | undefined;
}

/** Path infos of a store and of binary caches, and what ends them. */
export interface UpstreamPathInfos {
  readonly pathInfoService: PathInfoService;
  close(): Promise<void>;
}

/**
 * Path infos for those who ask by RPC: what is not here is fetched from the binary caches, in their order,
 * and stored. Whoever asks by HTTP is offered it before it has been fetched, which a path info cannot.
 */
export function withUpstreams(
  upstreams: readonly Upstream[],
  options: BinaryCacheOptions,
  { stored, guarded, memory, log, headers }: UpstreamParts,
): UpstreamPathInfos {
  const limits = limitsOfUploads(options);
  const caches = upstreams.map(
    (upstream) => new UpstreamPathInfoService(upstream, stored, { limits, memory, log, headers }),
  );
  const close = async () => {
    await Promise.all(caches.map((cache) => cache.close()));
  };
  const [last, ...before] = caches.toReversed();
  if (last === undefined) return { pathInfoService: guarded.pathInfoService, close };
  const far = before.reduce<PathInfoService>((behind, one) => new CombinedPathInfoService(one, behind), last);
  const onNearFailure = (error: unknown) => log.warn({ err: error }, "a path info could not be kept");
  const front = new CachePathInfoService(stored.pathInfoService, far, {
    writes: "near",
    missingMs: MISSING_MS,
    onNearFailure,
  });
  return { pathInfoService: readingFrom(front, guarded.pathInfoService), close };
}

/** Path infos that are read in one way, and put and listed in another. */
function readingFrom(reads: PathInfoService, others: PathInfoService): PathInfoService {
  return {
    get: (digest, options) => reads.get(digest, options),
    put: (info, options) => others.put(info, options),
    checkPut: async (claim, options) => await others.checkPut?.(claim, options),
    list: (options) => others.list(options),
  };
}
