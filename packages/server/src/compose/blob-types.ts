import { CacheBlobService, CombinedBlobService, MemoryBlobService, readOnlyBlobService } from "@tvix/castore";
import { levelAddress, memoryAddress } from "./addresses.ts";
import { type GrpcPeer, parseGrpcPeer } from "./grpc-peer.ts";
import { optional, required, tableOf, text, wholeNumber } from "./keys.ts";
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

/** The types of blob services. */
export function blobTypes(ofAddress: OfAddress): readonly ServiceType<"blob">[] {
  const kind = "blob";
  const memory: ServiceTypeDeclaration<"blob", object> = {
    kind,
    type: "memory",
    ofTable: tableOf({}),
    ofAddress: (_, url) => memoryAddress(url),
    open: async () => ({ service: new MemoryBlobService() }),
  };
  const level: ServiceTypeDeclaration<"blob", { readonly path: string }> = {
    kind,
    type: "level",
    ofTable: tableOf({ path: required(text) }),
    ofAddress: (_, url) => levelAddress(url),
    open: async ({ path }, context) => ({
      service: (await context.dataDirectory(path)).services.blobService,
    }),
  };
  const grpc: ServiceTypeDeclaration<"blob", { readonly url: GrpcPeer }> = {
    kind,
    type: "grpc",
    ofTable: tableOf({ url: required((value) => parseGrpcPeer(text(value))) }),
    ofAddress: (address) => ({ url: parseGrpcPeer(address) }),
    async open({ url }, context) {
      const { GrpcBlobService } = await import("@tvix/castore/grpc");
      const { namespace } = context.environment;
      return {
        service: new GrpcBlobService(await context.connection(url), { namespace: namespace ?? "auto" }),
      };
    },
  };
  const combined: ServiceTypeDeclaration<"blob", Layers<"blob">> = {
    kind,
    type: "combined",
    ofTable: tableOf(layerKeys(kind, ofAddress), LAYER_ALIASES),
    async open({ near, far }, context) {
      return { service: new CombinedBlobService(await context.part(near), await context.part(far)) };
    },
  };
  const cache: ServiceTypeDeclaration<"blob", BlobCache> = {
    kind,
    type: "cache",
    ofTable: tableOf({ ...cacheKeys(kind, ofAddress), chunks_ahead: optional(wholeNumber(1, 1000)) }),
    ofAddress: (_, url) => ({ ...cacheAddress(kind, url, ofAddress), chunks_ahead: undefined }),
    async open({ near, far, writes, chunks_ahead: chunksAhead }, context) {
      const { memory } = context.environment;
      const options = { writes, chunksAhead, memory, onNearFailure: noticeOf("blobs", context) };
      return { service: new CacheBlobService(await context.part(near), await context.part(far), options) };
    },
  };
  const readOnly: ServiceTypeDeclaration<"blob", Wrapped<"blob">> = {
    kind,
    type: "read-only",
    ofTable: tableOf(wrapperKeys(kind, ofAddress)),
    open: async ({ inner }, context) => ({ service: readOnlyBlobService(await context.part(inner)) }),
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

interface BlobCache extends CacheLayers<"blob"> {
  readonly chunks_ahead: number | undefined;
}
