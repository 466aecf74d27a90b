import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { answer, type ReflectionRequest } from "./answer.ts";
import { ServerReflection } from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "./gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { SchemaIndex } from "./schema-index.ts";

/** The two services that {@link addReflectionRoutes} adds; the messages of both are the same. */
export const REFLECTION_SERVICES: readonly DescService[] = [ServerReflection, ServerReflectionV1Alpha];

/**
 * Adds server reflection, versions v1 and v1alpha, to a Connect router, so that `buf curl`,
 * `grpcurl` and `evans` need no schema. Calls need HTTP/2: requests and responses alternate.
 *
 * @param services what a client may learn about; the reflection services join them
 */
export function addReflectionRoutes(router: ConnectRouter, services: readonly DescService[]): ConnectRouter {
  const index = new SchemaIndex([...services, ...REFLECTION_SERVICES]);
  async function* serverReflectionInfo(requests: AsyncIterable<ReflectionRequest>) {
    for await (const request of requests) yield answer(index, request);
  }
  return router.service(ServerReflection, { serverReflectionInfo }).service(ServerReflectionV1Alpha, {
    // Only the names of the types differ between the versions.
    serverReflectionInfo: serverReflectionInfo as never,
  });
}
