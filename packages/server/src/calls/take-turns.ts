import { type ContextKey, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { EventLoopTurns } from "../admission/event-loop-turns.ts";
import { withNext } from "./with-next.ts";

/** The connection that a call has come on. */
export const callConnection: ContextKey<object | undefined> = createContextKey<object | undefined>(
  undefined,
  { description: "the connection that a call has come on" },
);

/** Has calls with many messages, of a request or an answer, wait for others between two of them. */
export function takeTurns(turns: EventLoopTurns): Interceptor {
  return (next) => async (request) => {
    const { signal, contextValues } = request;
    const take = () => turns.message(contextValues.get(callConnection) ?? request, signal);
    const response = await next(
      request.stream ? { ...request, message: inTurns(request.message, take) } : request,
    );
    return response.stream ? { ...response, message: inTurns(response.message, take) } : response;
  };
}

/** The same messages, each of which waits for its turn. */
function inTurns<T>(messages: AsyncIterable<T>, take: () => Promise<void> | undefined): AsyncIterable<T> {
  return withNext(messages, async (next) => {
    const turn = take();
    if (turn !== undefined) await turn;
    return await next();
  });
}
