import {
  CacheDirectoryService,
  CombinedDirectoryService,
  MemoryDirectoryService,
  readOnlyDirectoryService,
} from "@tvix/castore";
import { levelAddress, memoryAddress } from "./addresses.ts";
import { type GrpcPeer, parseGrpcPeer } from "./grpc-peer.ts";
import { required, tableOf, text } from "./keys.ts";
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
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";

/** The types of directory services. */
export function directoryTypes(ofAddress: OfAddress): readonly ServiceType<"directory">[] {
  const kind = "directory";
  const memory: ServiceTypeDeclaration<"directory", object> = {
    kind,
    type: "memory",
    ofTable: tableOf({}),
    ofAddress: (_, url) => memoryAddress(url),
    open: async () => ({ service: new MemoryDirectoryService() }),
  };
  const level: ServiceTypeDeclaration<"directory", { readonly path: string }> = {
    kind,
    type: "level",
    ofTable: tableOf({ path: required(text) }),
    ofAddress: (_, url) => levelAddress(url),
    open: async ({ path }, context) => ({
      service: (await context.dataDirectory(path)).services.directoryService,
    }),
  };
  const grpc: ServiceTypeDeclaration<"directory", { readonly url: GrpcPeer }> = {
    kind,
    type: "grpc",
    ofTable: tableOf({ url: required((value) => parseGrpcPeer(text(value))) }),
    ofAddress: (address) => ({ url: parseGrpcPeer(address) }),
    async open({ url }, context) {
      const { GrpcDirectoryService } = await import("@tvix/castore/grpc");
      const { namespace = "auto", maxDirectoryBytes } = context.environment;
      const options = { namespace, ...(maxDirectoryBytes === undefined ? {} : { maxDirectoryBytes }) };
      return { service: new GrpcDirectoryService(await context.connection(url), options) };
    },
  };
  const combined: ServiceTypeDeclaration<"directory", Layers<"directory">> = {
    kind,
    type: "combined",
    ofTable: tableOf(layerKeys(kind, ofAddress), LAYER_ALIASES),
    async open({ near, far }, context) {
      return { service: new CombinedDirectoryService(await context.part(near), await context.part(far)) };
    },
  };
  const cache: ServiceTypeDeclaration<"directory", CacheLayers<"directory">> = {
    kind,
    type: "cache",
    ofTable: tableOf(cacheKeys(kind, ofAddress)),
    ofAddress: (_, url) => cacheAddress(kind, url, ofAddress),
    async open({ near, far, writes }, context) {
      const { memory } = context.environment;
      const options = { writes, memory, onNearFailure: noticeOf("directories", context) };
      return {
        service: new CacheDirectoryService(await context.part(near), await context.part(far), options),
      };
    },
  };
  const readOnly: ServiceTypeDeclaration<"directory", Wrapped<"directory">> = {
    kind,
    type: "read-only",
    ofTable: tableOf(wrapperKeys(kind, ofAddress)),
    open: async ({ inner }, context) => ({ service: readOnlyDirectoryService(await context.part(inner)) }),
  };
  return [
    serviceType(memory),
    serviceType(level),
    serviceType(grpc),
    serviceType(combined),
    serviceType(cache),
    serviceType(readOnly),
  ];
}
