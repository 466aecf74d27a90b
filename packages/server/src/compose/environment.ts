import type { MemoryLedger, ObserveCall } from "@tvix/castore";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import type { Store } from "@tvix/castore-packs";
import type { NarBridgeLimits } from "@tvix/nar-bridge/options";
import type { FolderServices } from "../services.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import type { ServiceKind } from "./service-kind.ts";
import type { SharedStoreAddress } from "./shared-store-address.ts";

/** Where what happens to services is written: any logger of pino's kind. */
export interface CompositionLog {
  warn(details: object, text: string): void;
}

/** How the services of a composition are opened, whatever it says of them. */
export interface CompositionEnvironment {
  /** Opens the data directory at a path; called once for each. */
  openStore(path: string): Promise<Store>;
  /** Opens a store that several servers share; called once for each. Default: that is an error. */
  openSharedStore?(address: SharedStoreAddress): Promise<Store>;
  /** Begins to talk to a peer. */
  connect(peer: GrpcPeer): Promise<GrpcTransport>;
  /** Names under which peers serve, where their addresses do not say. Default: they are asked. */
  readonly namespace?: "auto" | "tvix" | "snix" | undefined;
  /** Longest directory that is sent or taken, in bytes. Default 32 MiB. */
  readonly maxDirectoryBytes?: number | undefined;
  /** What caches and decoders draw from. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
  /** Default: nothing is written. */
  readonly log?: CompositionLog | undefined;
  /** Who is told of the calls of a service of the type `metrics`, by its name there. Default: nobody. */
  readonly observerOf?: ((kind: ServiceKind, name: string) => ObserveCall) | undefined;
  /** What binary caches may take. */
  readonly upstreamLimits?: Partial<NarBridgeLimits> | undefined;
  /** Further headers of each request to a binary cache. Default none. */
  readonly upstreamHeaders?: (() => Readonly<Record<string, string>>) | undefined;
}

/** A store that lies in a data directory or is shared, and the services in it. */
export interface OpenStore {
  /** Of the data directory; undefined for what is shared. */
  readonly path: string | undefined;
  readonly store: Store;
  readonly services: FolderServices;
}
