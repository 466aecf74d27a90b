import { CodedError, isCodedError } from "@tvix/byte-stream";

/** Why a NAR cannot be read or written. Codes are stable; messages are not. */
export const NAR_ERROR_CODES = [
  // What is read is no NAR, or not one that Nix writes.
  "INVALID_NAR",
  "TRUNCATED_NAR",
  "LIMIT_EXCEEDED",
  // What is to be written cannot be.
  "INVALID_ENTRY",
  // A listing does not parse.
  "INVALID_LISTING",
  // The file system is at fault.
  "UNSUPPORTED_FILE_TYPE",
  "CHANGED_WHILE_READING",
  "ALREADY_EXISTS",
  "FILE_SYSTEM_FAILURE",
] as const;

/** One of {@link NAR_ERROR_CODES}. */
export type NarErrorCode = (typeof NAR_ERROR_CODES)[number];

/** The one error class of this package; its message says what is wrong and where. */
export class NarError extends CodedError<NarErrorCode> {
  override readonly name = "NarError";

  /** True for any NarError, also one of another copy of this package. */
  static is(value: unknown): value is NarError {
    return isCodedError(value, "NarError");
  }
}
