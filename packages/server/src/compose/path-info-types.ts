import { PublicKey } from "@tvix/narinfo";
import {
  CachePathInfoService,
  CombinedPathInfoService,
  MemoryPathInfoService,
  RenderingNarCalculation,
  readOnlyPathInfoService,
  SigningPathInfoService,
  TrustingPathInfoService,
} from "@tvix/store";
import { readSigningKeys } from "../cli/signing-key.ts";
import { levelAddress, memoryAddress } from "./addresses.ts";
import { type GrpcPeer, parseGrpcPeer } from "./grpc-peer.ts";
import { optional, required, tableOf, text, texts, wholeNumber } from "./keys.ts";
import {
  type CacheLayers,
  cacheAddress,
  cacheKeys,
  LAYER_ALIASES,
  type Layers,
  layerKeys,
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

/** The types of path info services. */
export function pathInfoTypes(ofAddress: OfAddress): readonly ServiceType<"path-info">[] {
  const kind = "path-info";
  const memory: ServiceTypeDeclaration<"path-info", object> = {
    kind,
    type: "memory",
    ofTable: tableOf({}),
    ofAddress: (_, url) => memoryAddress(url),
    open: async () => ({ service: new MemoryPathInfoService() }),
  };
  const lru: ServiceTypeDeclaration<"path-info", { readonly capacity: number }> = {
    kind,
    type: "lru",
    ofTable: tableOf({ capacity: required(wholeNumber(1, 100_000_000)) }),
    open: async ({ capacity }) => ({ service: new MemoryPathInfoService({ maxEntries: capacity }) }),
  };
  const level: ServiceTypeDeclaration<"path-info", { readonly path: string }> = {
    kind,
    type: "level",
    ofTable: tableOf({ path: required(text) }),
    ofAddress: (_, url) => levelAddress(url),
    open: async ({ path }, context) => ({
      service: (await context.dataDirectory(path)).services.pathInfoService,
    }),
  };
  const grpc: ServiceTypeDeclaration<"path-info", { readonly url: GrpcPeer }> = {
    kind,
    type: "grpc",
    ofTable: tableOf({ url: required((value) => parseGrpcPeer(text(value))) }),
    ofAddress: (address) => ({ url: parseGrpcPeer(address) }),
    async open({ url }, context) {
      const { GrpcPathInfoService } = await import("@tvix/store/grpc");
      const { namespace = "auto" } = context.environment;
      return { service: new GrpcPathInfoService(await context.connection(url), { namespace }) };
    },
  };
  const combined: ServiceTypeDeclaration<"path-info", Layers<"path-info">> = {
    kind,
    type: "combined",
    ofTable: tableOf(layerKeys(kind, ofAddress), LAYER_ALIASES),
    async open({ near, far }, context) {
      return { service: new CombinedPathInfoService(await context.part(near), await context.part(far)) };
    },
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
  const readOnly: ServiceTypeDeclaration<"path-info", Wrapped<"path-info">> = {
    kind,
    type: "read-only",
    ofTable: tableOf(wrapperKeys(kind, ofAddress)),
    open: async ({ inner }, context) => ({ service: readOnlyPathInfoService(await context.part(inner)) }),
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
    serviceType(memory),
    serviceType(lru),
    serviceType(level),
    serviceType(grpc),
    serviceType(combined),
    serviceType(cache),
    serviceType(readOnly),
    serviceType(trust),
    serviceType(signing),
    nixType(ofAddress),
  ];
}
