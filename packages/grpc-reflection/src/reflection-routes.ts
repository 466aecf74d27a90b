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
 * @param ending ends streams that are open when it is aborted: clients keep them for the next question
 */
export function addReflectionRoutes(
  router: ConnectRouter,
  services: readonly DescService[],
  ending?: AbortSignal,
): ConnectRouter {
  const index = new SchemaIndex([...services, ...REFLECTION_SERVICES]);
  async function* serverReflectionInfo(requests: AsyncIterable<ReflectionRequest>) {
    for await (const request of untilAborted(requests, ending)) yield answer(index, request);
  }
  return router.service(ServerReflection, { serverReflectionInfo }).service(ServerReflectionV1Alpha, {
    // Only the names of the types differ between the versions.
    serverReflectionInfo: serverReflectionInfo as never,
  });
}

/** The same values; the end comes when they end, or the signal is aborted. */
async function* untilAborted<T>(values: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  const iterator = values[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<undefined>();
  const abort = () => aborted.resolve(undefined);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted === true) abort();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
