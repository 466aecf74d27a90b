import { ConnectError, type ContextKey, createContextKey, type Interceptor } from "@connectrpc/connect";
import { isServerFailure } from "@tvix/castore-grpc";
import type { Logger } from "pino";

/** The address from which a call came. */
export const callerAddress: ContextKey<string | undefined> = createContextKey<string | undefined>(undefined, {
  description: "the address from which a call came",
});

/** Tells what a call is about, once that is known. */
export const callSubject: ContextKey<() => string | undefined> = createContextKey<() => string | undefined>(
  () => undefined,
  { description: "tells what the call is about" },
);

/** Where a failed call came from, and what it was. */
export interface FailedCall {
  /** `/service/method`. */
  readonly call: string;
  readonly from: string | undefined;
  /** What it was about, where that is known. */
  readonly subject?: string | undefined;
}

/** Writes down a failure that is ours and not the client's. */
export function logFailure(log: Logger, error: unknown, failed: FailedCall): void {
  log.error(
    { err: error instanceof ConnectError ? (error.cause ?? error) : error, ...failed },
    "a call has failed",
  );
}

/** Logs the failures of calls that Connect handles, also those in the middle of a response. */
export function logFailures(log: Logger): Interceptor {
  return (next) => async (request) => {
    const failed = {
      call: `/${request.service.typeName}/${request.method.name}`,
      from: request.contextValues.get(callerAddress),
    };
    const note = (error: unknown) => {
      if (isServerFailure(ConnectError.from(error)))
        logFailure(log, error, { ...failed, subject: request.contextValues.get(callSubject)() });
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: watched(response.message, note) } : response;
    } catch (error) {
      note(error);
      throw error;
    }
  };
}

async function* watched<T>(messages: AsyncIterable<T>, note: (error: unknown) => void): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    note(error);
    throw error;
  }
}
