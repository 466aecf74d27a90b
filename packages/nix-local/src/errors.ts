import { CodedError, isCodedError } from "@tvix/byte-stream";

/**
 * Why the store of Nix cannot be read: `NO_DATABASE` where there is none, or it may not be read; `NOT_A_STORE_PATH`
 * for a path that lies elsewhere; `NOT_THERE` for one that does not exist.
 */
export type LocalNixErrorCode = "NO_DATABASE" | "NOT_A_STORE_PATH" | "NOT_THERE";

/** The error class of this package. */
export class LocalNixError extends CodedError<LocalNixErrorCode> {
  override readonly name = "LocalNixError";

  /** True for any LocalNixError, also one of another copy of this package. */
  static is(value: unknown): value is LocalNixError {
    return isCodedError(value, "LocalNixError");
  }
}
