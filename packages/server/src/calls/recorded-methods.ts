import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";

/** A method whose request is one message, and what answers it. */
export interface RecordedMethod {
  readonly service: DescService;
  readonly method: DescMethod & { readonly methodKind: "unary" | "server_streaming" };
  /** Gives the answer, or a promise of it; or answers one after the other. */
  readonly run: (request: unknown, context: HandlerContext) => unknown;
}

/**
 * The same router, which writes down each method with one request by its path: `/service/method`.
 *
 * @param methods where it is written down
 */
export function recordMethods(router: ConnectRouter, methods: Map<string, RecordedMethod>): ConnectRouter {
  const recording: ConnectRouter = {
    ...router,
    service(service, implementation, options) {
      router.service(service, implementation, options);
      for (const method of service.methods) {
        const run = (implementation as Readonly<Record<string, unknown>>)[method.localName];
        if (typeof run !== "function" || !hasOneRequest(method)) continue;
        methods.set(`/${service.typeName}/${method.name}`, {
          service,
          method,
          run: (request, context) => run.call(implementation, request, context),
        });
      }
      return recording;
    },
  };
  return recording;
}

function hasOneRequest(method: DescMethod): method is RecordedMethod["method"] {
  return method.methodKind === "unary" || method.methodKind === "server_streaming";
}
