import { CodedError, isCodedError } from "@tvix/byte-stream";

/** Why a text of this package does not parse. Codes are stable; messages are not. */
export const NARINFO_ERROR_CODES = [
  "INVALID_NARINFO",
  "INVALID_SIGNATURE",
  "INVALID_KEY",
  "INVALID_CACHE_INFO",
] as const;

/** One of {@link NARINFO_ERROR_CODES}. */
export type NarInfoErrorCode = (typeof NARINFO_ERROR_CODES)[number];

/** The one error class of this package; its message names the field that is at fault. */
export class NarInfoError extends CodedError<NarInfoErrorCode> {
  override readonly name = "NarInfoError";

  /** True for any NarInfoError, also one of another copy of this package. */
  static is(value: unknown): value is NarInfoError {
    return isCodedError(value, "NarInfoError");
  }
}
