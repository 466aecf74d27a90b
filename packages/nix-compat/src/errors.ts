import { CodedError, isCodedError } from "@tvix/byte-stream";

/** Why a text or value of Nix does not parse. Codes are stable; messages are not. */
export const NIX_COMPAT_ERROR_CODES = [
  "INVALID_NIXBASE32",
  "INVALID_HASH",
  "INVALID_STORE_PATH",
  "INVALID_CONTENT_ADDRESS",
] as const;

/** One of {@link NIX_COMPAT_ERROR_CODES}. */
export type NixCompatErrorCode = (typeof NIX_COMPAT_ERROR_CODES)[number];

/** The one error class of this package; its message names the value that is at fault. */
export class NixCompatError extends CodedError<NixCompatErrorCode> {
  override readonly name = "NixCompatError";

  /** True for any NixCompatError, also one of another copy of this package. */
  static is(value: unknown): value is NixCompatError {
    return isCodedError(value, "NixCompatError");
  }
}

/** Most characters of a value that a message shows. */
const SHOWN_CHARACTERS = 100;

/** A value for a message: in quotes, cut off where it is long. */
export function quoted(value: string): string {
  const cut = value.length > SHOWN_CHARACTERS;
  return `${JSON.stringify(cut ? value.slice(0, SHOWN_CHARACTERS) : value)}${cut ? "…" : ""}`;
}
