import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import type { CompositionEnvironment, OpenStore } from "./environment.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import type { ServiceKind, ServiceOfKind } from "./service-kind.ts";
import type { SharedStoreAddress } from "./shared-store-address.ts";

/** A service that is open. */
export interface Opened<T> {
  readonly service: T;
  /** Frees what it holds; what it is made of is closed by others. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** Another entry of a composition, by its name. */
export interface Reference<K extends ServiceKind = ServiceKind> {
  readonly kind: K;
  readonly name: string;
}

/** What a service is made of: a named entry, which all who name it share, or one of its own. */
export type Part<K extends ServiceKind = ServiceKind> = Reference<K> | Entry<K>;

/** What one service is made from: read and checked, not opened. */
export interface Entry<K extends ServiceKind = ServiceKind> {
  readonly kind: K;
  /** Such as `grpc`. */
  readonly type: string;
  /** What else is said of it, in words for people; without secrets. */
  readonly settings: ReadonlyMap<string, string>;
  readonly parts: ReadonlyMap<string, Part>;
  open(context: OpenContext): Promise<Opened<ServiceOfKind[K]>>;
}

/** Whether a part is an entry of its own. */
export function isEntry<K extends ServiceKind>(part: Part<K>): part is Entry<K> {
  return "open" in part;
}

/** What an entry is opened with. */
export interface OpenContext {
  readonly environment: CompositionEnvironment;
  /** Opens what a service is made of. Those with a name are opened once, however many ask. */
  part<K extends ServiceKind>(part: Part<K>): Promise<ServiceOfKind[K]>;
  /** The service of a kind that all of the store is, for what is made of that where nothing else is said. */
  root<K extends ServiceKind>(kind: K): Promise<ServiceOfKind[K]>;
  /** The data directory at a path, opened once for all kinds of services. */
  dataDirectory(path: string): Promise<OpenStore>;
  /** A store that several servers share, opened once for all kinds of services. */
  sharedStore(address: SharedStoreAddress): Promise<OpenStore>;
  /** A connection to a peer, one for all services there. */
  connection(peer: GrpcPeer): Promise<GrpcTransport>;
}
