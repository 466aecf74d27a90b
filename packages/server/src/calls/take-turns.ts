import type { Interceptor } from "@connectrpc/connect";
import type { EventLoopTurns } from "../admission/event-loop-turns.ts";
import { withNext } from "./with-next.ts";

/** Has calls with many messages, of a request or an answer, wait for others between two of them. */
export function takeTurns(turns: EventLoopTurns): Interceptor {
  return (next) => async (request) => {
    const response = await next(
      request.stream ? { ...request, message: inTurns(request.message, turns) } : request,
    );
    return response.stream ? { ...response, message: inTurns(response.message, turns) } : response;
  };
}

/** The same messages, each of which waits for its turn. */
function inTurns<T>(messages: AsyncIterable<T>, turns: EventLoopTurns): AsyncIterable<T> {
  return withNext(messages, async (next) => {
    const turn = turns.message(messages);
    if (turn !== undefined) await turn;
    return await next();
  });
}
