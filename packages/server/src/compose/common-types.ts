import type { ObserveCall } from "@tvix/castore";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import { parsePostgresAddress } from "@tvix/castore-postgres/address";
import { parseS3Address } from "@tvix/castore-s3/address";
import type { LocalServices } from "../services.ts";
import { levelAddress, memoryAddress } from "./addresses.ts";
import type { CompositionEnvironment } from "./environment.ts";
import { type GrpcPeer, parseGrpcPeer } from "./grpc-peer.ts";
import { optional, required, tableOf, text } from "./keys.ts";
import {
  LAYER_ALIASES,
  type Layers,
  layerKeys,
  type OfAddress,
  type Wrapped,
  wrapperKeys,
} from "./layer-keys.ts";
import type { ServiceKind, ServiceOfKind } from "./service-kind.ts";
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";
import { type SharedStoreAddress, sharedStoreOfRecords } from "./shared-store-address.ts";

/** How the services of a kind are made that there are of every kind. */
export interface CommonServices<K extends ServiceKind> {
  readonly kind: K;
  inMemory(): ServiceOfKind[K];
  ofDataDirectory(services: LocalServices): ServiceOfKind[K];
  ofPeer(transport: GrpcTransport, environment: CompositionEnvironment): Promise<ServiceOfKind[K]>;
  combined(near: ServiceOfKind[K], far: ServiceOfKind[K]): ServiceOfKind[K];
  readOnly(inner: ServiceOfKind[K]): ServiceOfKind[K];
  observed(inner: ServiceOfKind[K], observe: ObserveCall): ServiceOfKind[K];
}

/** `memory`, `level`, `postgres`, `grpc`, `combined`, `read-only` and `metrics`. */
export function commonTypes<K extends ServiceKind>(
  services: CommonServices<K>,
  ofAddress: OfAddress,
): readonly ServiceType<K>[] {
  const { kind } = services;
  const memory: ServiceTypeDeclaration<K, object> = {
    kind,
    type: "memory",
    ofTable: tableOf({}),
    ofAddress: (_, url) => memoryAddress(url),
    open: async () => ({ service: services.inMemory() }),
  };
  const level: ServiceTypeDeclaration<K, { readonly path: string }> = {
    kind,
    type: "level",
    ofTable: tableOf({ path: required(text) }),
    ofAddress: (_, url) => levelAddress(url),
    async open({ path }, context) {
      return { service: services.ofDataDirectory((await context.dataDirectory(path)).services) };
    },
  };
  const postgres: ServiceTypeDeclaration<K, SharedStoreAddress> = {
    kind,
    type: "postgres",
    ofTable: tableOf(
      {
        records: required((value) => parsePostgresAddress(text(value))),
        extents: optional((value) => parseS3Address(text(value))),
      },
      { url: "records" },
    ),
    ofAddress: (_, url) => sharedStoreOfRecords(url),
    async open(address, context) {
      return { service: services.ofDataDirectory((await context.sharedStore(address)).services) };
    },
  };
  const grpc: ServiceTypeDeclaration<K, { readonly url: GrpcPeer }> = {
    kind,
    type: "grpc",
    ofTable: tableOf({ url: required((value) => parseGrpcPeer(text(value))) }),
    ofAddress: (address) => ({ url: parseGrpcPeer(address) }),
    async open({ url }, context) {
      return { service: await services.ofPeer(await context.connection(url), context.environment) };
    },
  };
  const combined: ServiceTypeDeclaration<K, Layers<K>> = {
    kind,
    type: "combined",
    ofTable: tableOf(layerKeys(kind, ofAddress), LAYER_ALIASES),
    async open({ near, far }, context) {
      return { service: services.combined(await context.part(near), await context.part(far)) };
    },
  };
  const readOnly: ServiceTypeDeclaration<K, Wrapped<K>> = {
    kind,
    type: "read-only",
    ofTable: tableOf(wrapperKeys(kind, ofAddress)),
    open: async ({ inner }, context) => ({ service: services.readOnly(await context.part(inner)) }),
  };
  const metrics: ServiceTypeDeclaration<K, Wrapped<K> & { readonly name: string }> = {
    kind,
    type: "metrics",
    ofTable: tableOf({ ...wrapperKeys(kind, ofAddress), name: required(text) }),
    async open({ inner, name }, context) {
      const service = await context.part(inner);
      const observe = context.environment.observerOf?.(kind, name);
      return { service: observe === undefined ? service : services.observed(service, observe) };
    },
  };
  return [
    serviceType(memory),
    serviceType(level),
    serviceType(postgres),
    serviceType(grpc),
    serviceType(combined),
    serviceType(readOnly),
    serviceType(metrics),
  ];
}
