import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { OperationOptions, Principal } from "@tvix/castore";

/** Who has sent a call; a server that knows sets this for each. */
export const callPrincipal: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(
  undefined,
  { description: "who has sent the call" },
);

/** Has something done when the answer of a call has been sent, or its client has left; a server that knows sets this for each. */
export const onAnswered: ContextKey<((done: () => void) => void) | undefined> = createContextKey<
  ((done: () => void) => void) | undefined
>(undefined, { description: "does something when the answer has been sent" });

/** Does something when the answer of a call is not held any more; when its handler has ended, where nobody can tell. */
export function afterAnswer({ signal, values }: HandlerContext, done: () => void): void {
  const wait = values.get(onAnswered);
  if (wait !== undefined) wait(done);
  else if (signal.aborted) done();
  else signal.addEventListener("abort", done, { once: true });
}

/** The options with which services are asked on behalf of a call. */
export function operationOf({ signal, values }: HandlerContext): OperationOptions {
  return { signal, principal: values.get(callPrincipal) };
}
