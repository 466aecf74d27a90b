import { isFailureOfService } from "@tvix/castore";
import { StoreError } from "./store-error.ts";

/**
 * Whether a failure is one of a service itself, of this package or of what it is made of, so that another
 * one may have what was asked for.
 */
export function isFailureOfStore(error: unknown): boolean {
  return isFailureOfService(error) || (StoreError.is(error) && OF_SERVICE.has(error.code));
}

const OF_SERVICE: ReadonlySet<string> = new Set(["CORRUPT", "INVALID_RESPONSE"]);
