import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { addCastoreRoutes, type CastoreServices } from "@tvix/castore-grpc";
import { addHealthRoutes, addReflectionRoutes, HEALTH_SERVICE, type Health } from "@tvix/grpc-reflection";
import { BatchService } from "@tvix/protocol/batch";
import { ChunkExchangeService } from "@tvix/protocol/exchange";
import { LookupService } from "@tvix/protocol/lookup";
import { MaintenanceService } from "@tvix/protocol/maintenance";
import * as snixCastore from "@tvix/protocol/snix/castore";
import * as snixStore from "@tvix/protocol/snix/store";
import * as tvixCastore from "@tvix/protocol/tvix/castore";
import * as tvixStore from "@tvix/protocol/tvix/store";
import { addStoreRoutes, type StoreServices } from "@tvix/store/grpc";
import { addLookupRoutes, type KeptPaths } from "./lookup/handlers.ts";
import { addMaintenanceRoutes } from "./maintenance/handlers.ts";
import type { Maintenance } from "./maintenance/maintenance.ts";

/** What is served: blobs and directories, and store paths where there are services for them. */
export interface RoutedServices extends CastoreServices {
  readonly store?: StoreServices | undefined;
  /** What those who run the store do with it; where it can be done by us. */
  readonly maintenance?: Maintenance | undefined;
  /** What is known of path infos that are kept here, where they are. */
  readonly keptPaths?: KeptPaths | undefined;
}

/** The services that are served, under both of their names where they have two. */
export function servedServices({
  store,
  maintenance,
}: Pick<RoutedServices, "store" | "maintenance">): readonly DescService[] {
  return [
    tvixCastore.BlobService,
    tvixCastore.DirectoryService,
    snixCastore.BlobService,
    snixCastore.DirectoryService,
    BatchService,
    ChunkExchangeService,
    ...(store === undefined ? [] : [tvixStore.PathInfoService, snixStore.PathInfoService, LookupService]),
    ...(maintenance === undefined ? [] : [MaintenanceService]),
  ];
}

/**
 * Responses are never compressed, whatever a client accepts: contents of blobs are compressed
 * at rest, or do not compress. Compressed requests are welcome.
 */
export const NEVER_COMPRESS: number = 0xffff_ffff;

/**
 * Everything the server answers by gRPC, gRPC-Web and Connect.
 *
 * @param ending aborted when the server ends: calls that would go on for ever end with it
 */
export function addRoutes(
  router: ConnectRouter,
  services: RoutedServices,
  health: Health,
  ending: AbortSignal,
): void {
  addCastoreRoutes(router, services);
  if (services.store !== undefined) {
    addStoreRoutes(router, services.store);
    addLookupRoutes(router, {
      pathInfoService: services.store.pathInfoService,
      kept: services.keptPaths,
    });
  }
  if (services.maintenance !== undefined) addMaintenanceRoutes(router, services.maintenance);
  addHealthRoutes(router, health);
  addReflectionRoutes(router, [...servedServices(services), HEALTH_SERVICE], ending);
}
