import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { isInvalidRequest } from "./readable-status.ts";
import { withNext } from "./with-next.ts";

/**
 * Has what is wrong with the messages of a request be the client's mistake also where it is logged and counted, and not
 * only where it is answered. Messages that come in a stream are parsed while the call is under way, and Connect takes it
 * for a failure of its own when one does not decode, or when no more come.
 */
export const blameClient: Interceptor = (next) => async (request) => {
  if (!request.stream) return await next(request);
  const message = withNext(request.message, async (ask) => {
    try {
      return await ask();
    } catch (error) {
      throw asClients(error);
    }
  });
  return await next({ ...request, message });
};

/** How Node says that a request has ended before its end. */
const CUT_OFF = new Set(["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET"]);

function asClients(error: unknown): unknown {
  const { cause, rawMessage } = ConnectError.from(error);
  const code = (error as { code?: unknown }).code ?? (cause as { code?: unknown } | undefined)?.code;
  if (CUT_OFF.has(String(code)))
    return new ConnectError("the request was cut off", Code.Canceled, undefined, undefined, error);
  if (!isInvalidRequest(rawMessage)) return error;
  return new ConnectError(rawMessage, Code.InvalidArgument, undefined, undefined, error);
}
