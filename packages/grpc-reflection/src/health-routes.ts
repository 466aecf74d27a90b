import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from "./gen/grpc/health/v1/health_pb.ts";
import type { Health, ServingStatus } from "./health.ts";

/** The service that {@link addHealthRoutes} adds, for reflection. */
export const HEALTH_SERVICE: DescService = HealthService;

/**
 * Adds `grpc.health.v1.Health` to a Connect router. Check of an unknown service is NOT_FOUND;
 * Watch says SERVICE_UNKNOWN and goes on, as the protocol asks for.
 */
export function addHealthRoutes(router: ConnectRouter, health: Health): ConnectRouter {
  return router.service(HealthService, {
    check({ service }) {
      const status = health.get(service);
      if (status === undefined) throw new ConnectError(`unknown service: ${service}`, Code.NotFound);
      return { status: toMessage(status) };
    },
    async *watch({ service }, { signal }) {
      for await (const status of health.watch(service, signal)) yield { status: toMessage(status) };
    },
  });
}

function toMessage(status: ServingStatus | undefined): Status {
  if (status === undefined) return Status.SERVICE_UNKNOWN;
  return status === "SERVING" ? Status.SERVING : Status.NOT_SERVING;
}
