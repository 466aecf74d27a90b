import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";

/** How an exchange ends that did not come to its end. */
export const CUT_OFF = "cut off";

/** The status of gRPC by its name where there is one, else that of HTTP. */
export function codeOf(grpcStatus: unknown, httpStatus: unknown): string {
  if (grpcStatus === undefined) return String(httpStatus);
  const code = Number(grpcStatus);
  return code === 0 ? "ok" : code in Code ? codeToString(code) : "unknown";
}
