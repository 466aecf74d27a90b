import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext, MethodImpl } from "@connectrpc/connect";
import { longestMessage } from "./longest-message.ts";

/** What answers a method. */
type Run = (request: unknown, context: HandlerContext) => unknown;

/** A method of a service that is served. */
export interface RecordedMethod<Method extends DescMethod = DescMethod> {
  readonly service: DescService;
  readonly method: Method;
  /** Longest message of a request, in bytes. */
  readonly maxMessageBytes: number;
  /** Gives the answer, or a promise of it; or answers one after the other. */
  readonly run: Run;
}

/** One whose request is one message. */
export type OneRequestMethod = RecordedMethod<
  DescMethod & { readonly methodKind: "unary" | "server_streaming" }
>;

/**
 * The same router, which gives each method its longest message, and writes it down by its path: `/service/method`.
 *
 * @param methods where it is written down
 * @param maxMessageBytes how long any message may be
 */
export function recordMethods(
  router: ConnectRouter,
  methods: Map<string, RecordedMethod>,
  maxMessageBytes: number,
): ConnectRouter {
  const recording: ConnectRouter = {
    ...router,
    service(service, implementation, options) {
      for (const method of service.methods) {
        const found = (implementation as Readonly<Record<string, unknown>>)[method.localName];
        if (typeof found !== "function") continue;
        const run: Run = (request, context) => found.call(implementation, request, context);
        const longest = longestMessage(method, options?.readMaxBytes, maxMessageBytes);
        router.rpc(method, run as MethodImpl<typeof method>, { ...options, readMaxBytes: longest });
        methods.set(`/${service.typeName}/${method.name}`, {
          service,
          method,
          maxMessageBytes: longest,
          run,
        });
      }
      return recording;
    },
  };
  return recording;
}

/** Whether the request of a method is one message. */
export function hasOneRequest(recorded: RecordedMethod): recorded is OneRequestMethod {
  const { methodKind } = recorded.method;
  return methodKind === "unary" || methodKind === "server_streaming";
}
