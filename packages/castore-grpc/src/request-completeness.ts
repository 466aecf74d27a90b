import {
  Code,
  ConnectError,
  type ContextKey,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";

/**
 * Tells, when the messages of a call have ended, whether the client ended them. Node ends the
 * body of an HTTP/2 request that was reset as if it were whole; a server that knows better
 * sets this for each call, so that nothing is stored of what a client took back.
 */
export const isRequestComplete: ContextKey<() => boolean> = createContextKey(() => true, {
  description: "whether the client has sent its whole request",
});

/**
 * The same messages, with an error at their end when the client did not end them.
 *
 * @throws ConnectError CANCELED
 */
export async function* untilComplete<T>(
  messages: AsyncIterable<T>,
  context: HandlerContext,
): AsyncIterable<T> {
  yield* messages;
  if (!context.values.get(isRequestComplete)()) {
    throw new ConnectError("the call was cancelled", Code.Canceled);
  }
}
