import type { OpenContext } from "./entry.ts";

/** Writes down what those who ask a cache do not see. */
export function noticeOf(what: string, { environment }: OpenContext): (error: unknown) => void {
  return (error) =>
    environment.log?.warn({ err: error }, `${what} could not be kept near, or were damaged there`);
}
