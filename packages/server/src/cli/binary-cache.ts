import type { Store } from "@tvix/castore/node";
import { LevelOffers, type NarBridgeOptions, type NarBridgeServices } from "@tvix/nar-bridge";
import type { SecretKey } from "@tvix/narinfo";
import type { BinaryCacheOptions } from "./binary-cache-options.ts";

/** The binary cache that the command line asks for. */
export function binaryCacheOf(
  options: BinaryCacheOptions,
  services: NarBridgeServices,
  { database }: Store,
  signingKeys: readonly SecretKey[],
): NarBridgeOptions {
  const { maxUploadBytes, maxNarBytes, maxUploads, uploadTimeout, stallTimeout, upstream } = options;
  return {
    ...services,
    priority: options.cachePriority,
    compression: options.narCompression,
    writable: options.uploads,
    trust: {
      unsigned: options.unsignedUploads,
      trustedKeys: options.trustedPublicKey,
      checkReferences: options.checkReferences,
    },
    limits: {
      maxUploadBytes,
      maxNarBytes,
      maxUploads,
      uploadTimeoutMs: uploadTimeout * 1000,
      stallMs: stallTimeout * 1000,
    },
    pullThrough:
      upstream === undefined
        ? undefined
        : { upstreams: upstream, offers: new LevelOffers(database), signingKeys },
  };
}
