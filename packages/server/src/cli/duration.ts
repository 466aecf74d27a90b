import { InvalidArgumentError } from "commander";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** A time such as `90d`, `12h` or `0s`, in milliseconds. */
export function parseDuration(text: string): number {
  const [, count, unit = ""] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError("expected such as 90d, 12h or 0s.");
  return Number(count) * (SECONDS[unit] as number) * 1000;
}

/** When something ends, from `90d`, `12h` or the like, or an ISO date in the future. */
export function parseEnd(text: string, now: Date = new Date()): Date {
  const [, count, unit = ""] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const end =
    count === undefined
      ? /^\d{4}-\d{2}-\d{2}/.test(text)
        ? new Date(text)
        : new Date(Number.NaN)
      : new Date(now.getTime() + Number(count) * (SECONDS[unit] as number) * 1000);
  if (Number.isNaN(end.getTime())) {
    throw new InvalidArgumentError("expected such as 12h, 90d or 2030-01-31.");
  }
  if (end <= now) throw new InvalidArgumentError(`${end.toISOString()} has passed.`);
  return end;
}
