import { parseTimeout, TIMER_MAX_MS } from "@tvix/castore-grpc/http2";

/**
 * Time that a call has, in milliseconds, as `grpc-timeout` or `connect-timeout-ms` say. One that no
 * timer can wait for is taken out of the headers: it would pass at once, and might as well be none.
 *
 * @returns undefined where there is none, or it is malformed
 */
export function takeDeadline(headers: Headers): number | undefined {
  const [ofConnect] = /^\d{1,10}$/.exec(headers.get("connect-timeout-ms") ?? "") ?? [];
  const ofGrpc = parseTimeout(headers.get("grpc-timeout") ?? undefined);
  const timeoutMs = ofGrpc ?? (ofConnect === undefined ? undefined : Number(ofConnect));
  if (timeoutMs === undefined || timeoutMs < TIMER_MAX_MS) return timeoutMs;
  headers.delete("grpc-timeout");
  headers.delete("connect-timeout-ms");
  return undefined;
}
