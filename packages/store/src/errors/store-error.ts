import { CodedError, isCodedError } from "@tvix/byte-stream";

/**
 * Why an operation of this package failed, where it is not blobs, directories or a NAR as such
 * that are at fault: those fail with the errors of their own packages. Codes are stable;
 * messages are not.
 */
export const STORE_ERROR_CODES = [
  // The input is at fault.
  "INVALID_PATH_INFO",
  "NAR_HASH_MISMATCH",
  "NAR_SIZE_MISMATCH",
  "CONTENT_ADDRESS_MISMATCH",
  "INVALID_NAME",
  "INVALID_NODE",
  "MISSING_REFERENCES",
  // Whoever asks may not.
  "UNTRUSTED",
  "FORBIDDEN",
  "CONFLICT",
  "IN_USE",
  // What is stored, or what a peer sent, is at fault.
  "SIZE_MISMATCH",
  "CORRUPT",
  "INVALID_RESPONSE",
] as const;

/** One of {@link STORE_ERROR_CODES}. */
export type StoreErrorCode = (typeof STORE_ERROR_CODES)[number];

/** The error class of this package. An aborted operation rejects with the signal's reason. */
export class StoreError extends CodedError<StoreErrorCode> {
  override readonly name = "StoreError";

  /** True for any StoreError, also one of another copy of this package. */
  static is(value: unknown): value is StoreError {
    return isCodedError(value, "StoreError");
  }
}
