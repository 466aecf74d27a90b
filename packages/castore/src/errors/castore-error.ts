import { CodedError, type CodedErrorDetails, isCodedError } from "@tvix/byte-stream";

/**
 * Why an operation of this package failed. Codes are stable; messages are not.
 * `docs/errors.md` tells for each when it occurs and what to do; a test holds the two
 * together.
 */
export const CASTORE_ERROR_CODES = [
  // The input is at fault.
  "INVALID_DIGEST",
  "INVALID_NAME",
  "INVALID_SYMLINK_TARGET",
  "INVALID_PATH",
  "INVALID_NODE",
  "INVALID_ORDER",
  "DUPLICATE_NAME",
  "SIZE_OVERFLOW",
  "INVALID_CLOSURE",
  "TOO_DEEP",
  "TOO_LARGE",
  "READ_ONLY",
  // What is stored, or what a peer sent, is at fault.
  "CORRUPT",
  "INCOMPLETE",
  "INVALID_RESPONSE",
  // The surroundings are at fault.
  "UNSUPPORTED_FILE_TYPE",
  "ALREADY_EXISTS",
  "CHANGED_WHILE_READING",
  "LOCKED",
  "NOT_A_STORE",
  "UNKNOWN_FORMAT",
  "CLOSED",
  "NO_SPACE",
  "STORAGE_FAILURE",
  "TOO_BUSY",
  "UNAVAILABLE",
  "REMOTE_FAILURE",
] as const;

/** One of {@link CASTORE_ERROR_CODES}. */
export type CastoreErrorCode = (typeof CASTORE_ERROR_CODES)[number];

/** Data of a {@link CastoreError} beside its message. */
export interface CastoreErrorDetails extends CodedErrorDetails {
  /** The field, path or digest that is at fault. */
  readonly subject?: string;
}

/**
 * The one error class of this package. An aborted operation rejects with the
 * signal's reason instead, and misuse (a wrong argument) with TypeError or RangeError.
 */
export class CastoreError extends CodedError<CastoreErrorCode> {
  override readonly name = "CastoreError";
  /** The field, path or digest at fault, where there is one. */
  readonly subject: string | undefined;

  constructor(code: CastoreErrorCode, message: string, details: CastoreErrorDetails = {}) {
    super(code, message, details);
    this.subject = details.subject;
  }

  /** True for any CastoreError, also one of another copy of this package. */
  static is(value: unknown): value is CastoreError {
    return isCodedError(value, "CastoreError");
  }
}
