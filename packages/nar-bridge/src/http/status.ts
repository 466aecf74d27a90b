import { CastoreError, type CastoreErrorCode } from "@tvix/castore";
import { NarError } from "@tvix/nar";
import { NarInfoError } from "@tvix/narinfo";
import { NixCompatError } from "@tvix/nix-compat";
import { StoreError, type StoreErrorCode } from "@tvix/store";
import { NarBridgeError, type NarBridgeErrorCode } from "../errors.ts";

/**
 * HTTP status of our own errors. Never 401: Nix takes that as fatal. What is not there, or
 * cannot be given because it is damaged, is 404, with which Nix goes on to the next cache.
 */
export const STATUS_OF_BRIDGE_ERROR: Readonly<Record<NarBridgeErrorCode, number>> = {
  INVALID_REQUEST: 400,
  INVALID_COMPRESSION: 400,
  TOO_LARGE: 413,
  FILE_HASH_MISMATCH: 400,
  UNKNOWN_NAR: 400,
  PATH_MISMATCH: 400,
  MISSING_REFERENCES: 400,
  CONTENT_ADDRESS_MISMATCH: 400,
  UNTRUSTED: 403,
  READ_ONLY: 403,
  NOT_FOUND: 404,
  TIMED_OUT: 408,
  TOO_BUSY: 503,
  UPSTREAM_FAILED: 404,
};

const STATUS_OF_CASTORE_ERROR: Partial<Readonly<Record<CastoreErrorCode, number>>> = {
  CORRUPT: 404,
  INCOMPLETE: 404,
  NO_SPACE: 507,
  CLOSED: 503,
};

const STATUS_OF_STORE_ERROR: Partial<Readonly<Record<StoreErrorCode, number>>> = {
  NAR_HASH_MISMATCH: 400,
  NAR_SIZE_MISMATCH: 400,
  CONTENT_ADDRESS_MISMATCH: 400,
  INVALID_PATH_INFO: 400,
  SIZE_MISMATCH: 404,
  CORRUPT: 404,
};

/** What a client is told of an error. */
export interface ErrorAnswer {
  readonly status: number;
  /** One line. */
  readonly text: string;
  /** Whether it is ours, and belongs into the log. */
  readonly ours: boolean;
}

/** What to answer; errors that nobody foresaw tell a client nothing. */
export function answerOf(error: unknown): ErrorAnswer {
  const status = statusOf(error);
  if (status === undefined) return { status: 500, text: "internal error", ours: true };
  const ours = status >= 500 || (CastoreError.is(error) && status === 404);
  return { status, text: (error as Error).message, ours };
}

function statusOf(error: unknown): number | undefined {
  if (NarBridgeError.is(error)) return STATUS_OF_BRIDGE_ERROR[error.code];
  if (CastoreError.is(error)) return STATUS_OF_CASTORE_ERROR[error.code];
  if (StoreError.is(error)) return STATUS_OF_STORE_ERROR[error.code];
  // What a client sent is no NAR, narinfo or name; what is stored was one.
  if (error instanceof NarError || error instanceof NarInfoError || error instanceof NixCompatError)
    return 400;
  return undefined;
}
