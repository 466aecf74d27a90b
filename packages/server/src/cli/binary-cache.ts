import type { MemoryLedger } from "@tvix/castore";
import { type NarBridgeOptions, RecordOffers } from "@tvix/nar-bridge";
import type { SecretKey } from "@tvix/narinfo";
import { binaryCacheServices } from "../binary-cache-services.ts";
import type { LocalServices } from "../services.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { type BinaryCacheOptions, limitsOfUploads } from "./binary-cache-options.ts";
import type { DaemonStore } from "./daemon-store.ts";
import { binaryCachesOf } from "./upstream-option.ts";

/** What a binary cache is made from. */
export interface BinaryCacheParts {
  readonly store: DaemonStore;
  /** All of it, for what the daemon itself puts. */
  readonly stored: LocalServices;
  /** As those who ask may use it. */
  readonly services: LocalServices;
  readonly signingKeys: readonly SecretKey[];
  readonly memory: MemoryLedger;
  /** Knows to which trace a request belongs, where they are traced. */
  readonly tracing: Pick<Tracing, "headers"> | undefined;
}

/** The binary cache that the command line asks for. */
export function binaryCacheOf(
  options: BinaryCacheOptions,
  { store, stored, services, signingKeys, memory, tracing }: BinaryCacheParts,
): NarBridgeOptions {
  const { maxUploadBytes, maxUploads, stallTimeout } = options;
  const upstreams = binaryCachesOf(options.upstream);
  const { pathInfoService } = stored;
  return {
    ...binaryCacheServices(services, store.records, store.storedBlobs),
    fileIndex: store.fileIndex,
    priority: options.cachePriority,
    publicKeys: [...signingKeys.map(({ publicKey }) => publicKey), ...(options.trustedPublicKey ?? [])],
    compression: options.narCompression,
    writable: options.uploads,
    memory,
    limits: {
      ...limitsOfUploads(options),
      maxUploadBytes,
      maxUploads,
      stallMs: stallTimeout * 1000,
    },
    pullThrough:
      upstreams.length === 0
        ? undefined
        : {
            upstreams,
            offers: new RecordOffers(store.records),
            signingKeys,
            pathInfoService,
            headers: tracing && (() => tracing.headers()),
          },
  };
}
