import { PublicKey } from "@tvix/narinfo";
import {
  CachePathInfoService,
  CombinedPathInfoService,
  MemoryPathInfoService,
  observedPathInfoService,
  RenderingNarCalculation,
  readOnlyPathInfoService,
  SigningPathInfoService,
  TrustingPathInfoService,
} from "@tvix/store";
import { readSigningKeys } from "../cli/signing-key.ts";
import { type CommonServices, commonTypes } from "./common-types.ts";
import { optional, required, tableOf, text, texts, wholeNumber } from "./keys.ts";
import {
  type CacheLayers,
  cacheAddress,
  cacheKeys,
  type OfAddress,
  type Wrapped,
  wrapperKeys,
} from "./layer-keys.ts";
import { noticeOf } from "./near-notice.ts";
import { type ContentParts, contentKeys, contentsOf, nixType } from "./nix-type.ts";
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";

interface PathInfoCache extends CacheLayers<"path-info"> {
  readonly missing_seconds: number | undefined;
}

interface Trusting extends Wrapped<"path-info">, ContentParts {
  readonly public_keys: readonly PublicKey[];
}

interface Signing extends Wrapped<"path-info"> {
  readonly keyfile: string;
}

const COMMON: CommonServices<"path-info"> = {
  kind: "path-info",
  inMemory: () => new MemoryPathInfoService(),
  ofDataDirectory: ({ pathInfoService }) => pathInfoService,
  async ofPeer(transport, { namespace = "auto" }) {
    const { GrpcPathInfoService } = await import("@tvix/store/grpc");
    return new GrpcPathInfoService(transport, { namespace });
  },
  combined: (near, far) => new CombinedPathInfoService(near, far),
  readOnly: readOnlyPathInfoService,
  observed: observedPathInfoService,
};

/** The types of path info services. */
export function pathInfoTypes(ofAddress: OfAddress): readonly ServiceType<"path-info">[] {
  const kind = "path-info";
  const lru: ServiceTypeDeclaration<"path-info", { readonly capacity: number }> = {
    kind,
    type: "lru",
    ofTable: tableOf({ capacity: required(wholeNumber(1, 100_000_000)) }),
    open: async ({ capacity }) => ({ service: new MemoryPathInfoService({ maxEntries: capacity }) }),
  };
  const cache: ServiceTypeDeclaration<"path-info", PathInfoCache> = {
    kind,
    type: "cache",
    ofTable: tableOf({ ...cacheKeys(kind, ofAddress), missing_seconds: optional(wholeNumber(0, 86_400)) }),
    ofAddress: (_, url) => ({ ...cacheAddress(kind, url, ofAddress), missing_seconds: undefined }),
    async open({ near, far, writes, missing_seconds: seconds = 0 }, context) {
      const options = { writes, missingMs: seconds * 1000, onNearFailure: noticeOf("path infos", context) };
      return {
        service: new CachePathInfoService(await context.part(near), await context.part(far), options),
      };
    },
  };
  const trust: ServiceTypeDeclaration<"path-info", Trusting> = {
    kind,
    type: "trust",
    ofTable: tableOf({
      ...wrapperKeys(kind, ofAddress),
      ...contentKeys(ofAddress),
      public_keys: required((value) => texts(value).map((key) => PublicKey.parse(key))),
    }),
    async open({ inner, public_keys: keys, ...contents }, context) {
      const services = await contentsOf(contents, context);
      const narCalculationService = new RenderingNarCalculation(services);
      const all = { ...services, narCalculationService };
      return { service: new TrustingPathInfoService(await context.part(inner), keys, all) };
    },
  };
  const signing: ServiceTypeDeclaration<"path-info", Signing> = {
    kind,
    type: "keyfile-signing",
    ofTable: tableOf({ ...wrapperKeys(kind, ofAddress), keyfile: required(text) }),
    async open({ inner, keyfile }, context) {
      const keys = await readSigningKeys([keyfile]);
      return { service: new SigningPathInfoService(await context.part(inner), keys) };
    },
  };
  return [
    ...commonTypes(COMMON, ofAddress),
    serviceType(lru),
    serviceType(cache),
    serviceType(trust),
    serviceType(signing),
    nixType(ofAddress),
  ];
}
