import { CodedError, isCodedError } from "@tvix/byte-stream";

/**
 * Why a request was refused, where it is not blobs, directories, path infos, a NAR or a
 * narinfo as such that are at fault: those fail with the errors of their own packages. Codes
 * are stable; messages are not.
 */
export const NAR_BRIDGE_ERROR_CODES = [
  // The request is at fault.
  "INVALID_REQUEST",
  "INVALID_COMPRESSION",
  "TOO_LARGE",
  "FILE_HASH_MISMATCH",
  "UNKNOWN_NAR",
  "PATH_MISMATCH",
  "READ_ONLY",
  "NOT_FOUND",
  // The time or the place is.
  "TIMED_OUT",
  "TOO_BUSY",
  // An upstream is: for good, or for now.
  "UPSTREAM_FAILED",
  "UPSTREAM_UNAVAILABLE",
] as const;

/** One of {@link NAR_BRIDGE_ERROR_CODES}. */
export type NarBridgeErrorCode = (typeof NAR_BRIDGE_ERROR_CODES)[number];

/** The error class of this package. */
export class NarBridgeError extends CodedError<NarBridgeErrorCode> {
  override readonly name = "NarBridgeError";

  /** True for any NarBridgeError, also one of another copy of this package. */
  static is(value: unknown): value is NarBridgeError {
    return isCodedError(value, "NarBridgeError");
  }
}
