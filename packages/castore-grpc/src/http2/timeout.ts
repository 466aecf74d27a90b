const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Longest time that timers can wait, in milliseconds: 25 days. */
export const TIMER_MAX_MS: number = 2 ** 31 - 1;

/** Milliseconds of a `grpc-timeout` header; undefined where there is none, or it is malformed. */
export function parseTimeout(header: string | string[] | undefined): number | undefined {
  const match = typeof header === "string" ? /^(\d{1,8})([HMSmun])$/.exec(header) : null;
  if (match === null) return undefined;
  return Math.min(TIMER_MAX_MS, Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0));
}

/** A `grpc-timeout` header of so many milliseconds. */
export function formatTimeout(timeoutMs: number): string {
  const whole = Math.max(1, Math.ceil(timeoutMs));
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1000))}S`;
}
