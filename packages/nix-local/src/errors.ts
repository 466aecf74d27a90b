import { CodedError, isCodedError } from "@tvix/byte-stream";

/** Why the store of Nix cannot be read; `docs/errors.md` tells when each occurs. */
export const LOCAL_NIX_ERROR_CODES = ["NO_DATABASE", "NOT_A_STORE_PATH", "NOT_THERE"] as const;

/** One of {@link LOCAL_NIX_ERROR_CODES}. */
export type LocalNixErrorCode = (typeof LOCAL_NIX_ERROR_CODES)[number];

/** The error class of this package. */
export class LocalNixError extends CodedError<LocalNixErrorCode> {
  override readonly name = "LocalNixError";

  /** True for any LocalNixError, also one of another copy of this package. */
  static is(value: unknown): value is LocalNixError {
    return isCodedError(value, "LocalNixError");
  }
}
