import type { ConnectRouter } from "@connectrpc/connect";
import { addCastoreRoutes, type CastoreServices } from "@tvix/castore/grpc";
import { addHealthRoutes, addReflectionRoutes, HEALTH_SERVICE, type Health } from "@tvix/grpc-reflection";
import * as snix from "@tvix/protocol/snix/castore";
import * as tvix from "@tvix/protocol/tvix/castore";

/** The services of this server, under both of their names. */
const SERVICES = [tvix.BlobService, tvix.DirectoryService, snix.BlobService, snix.DirectoryService];

/** Full names of the services whose health is told. */
export const SERVICE_NAMES: readonly string[] = SERVICES.map(({ typeName }) => typeName);

/**
 * Responses are never compressed, whatever a client accepts: contents of blobs are compressed
 * at rest, or do not compress. Compressed requests are welcome.
 */
export const NEVER_COMPRESS: number = 0xffff_ffff;

/** Everything the server answers by gRPC, gRPC-Web and Connect. */
export function addRoutes(router: ConnectRouter, services: CastoreServices, health: Health): void {
  addCastoreRoutes(router, services);
  addHealthRoutes(router, health);
  addReflectionRoutes(router, [...SERVICES, HEALTH_SERVICE]);
}
