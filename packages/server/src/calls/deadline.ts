/** Longest time that a timer can wait, in milliseconds: 25 days. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Time that a call has, in milliseconds, as `grpc-timeout` or `connect-timeout-ms` say. One that no
 * timer can wait for is taken out of the headers: it would pass at once, and might as well be none.
 *
 * @returns undefined where there is none, or it is malformed
 */
export function takeDeadline(headers: Headers): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "") ?? [];
  const [connect] = /^\d{1,10}$/.exec(headers.get("connect-timeout-ms") ?? "") ?? [];
  const timeoutMs = digits !== undefined ? Number(digits) * (UNIT_MS[unit] ?? 0) : connect && Number(connect);
  if (timeoutMs === undefined || timeoutMs === "") return undefined;
  if (timeoutMs <= TIMER_MAX_MS) return timeoutMs;
  headers.delete("grpc-timeout");
  headers.delete("connect-timeout-ms");
  return undefined;
}
