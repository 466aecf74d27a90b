import { CastoreError } from "./castore-error.ts";

/**
 * Whether a failure is one of a service itself, so that another one may have what was asked for: it is
 * damaged, out of reach or out of order. What is wrong with the question fails anywhere.
 */
export function isFailureOfService(error: unknown): boolean {
  return CastoreError.is(error) && OF_SERVICE.has(error.code);
}

const OF_SERVICE: ReadonlySet<string> = new Set([
  "CORRUPT",
  "INCOMPLETE",
  "INVALID_RESPONSE",
  "NO_SPACE",
  "STORAGE_FAILURE",
  "TOO_BUSY",
  "UNAVAILABLE",
  "REMOTE_FAILURE",
]);
