import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { OperationOptions, Principal } from "@tvix/castore";

/** Who has sent a call; a server that knows sets this for each. */
export const callPrincipal: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(
  undefined,
  { description: "who has sent the call" },
);

/** The options with which services are asked on behalf of a call. */
export function operationOf({ signal, values }: HandlerContext): OperationOptions {
  return { signal, principal: values.get(callPrincipal) };
}
