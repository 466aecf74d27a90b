import { CastoreError, type CastoreErrorCode } from "@tvix/castore";
import { NarError } from "@tvix/nar";
import { NarInfoError } from "@tvix/narinfo";
import { NixCompatError } from "@tvix/nix-compat";
import { StoreError, type StoreErrorCode } from "@tvix/store";
import { NarBridgeError, type NarBridgeErrorCode } from "../errors.ts";

/**
 * HTTP status of our own errors. Never 401: Nix takes that as fatal. What is not there, or
 * cannot be given because it is damaged, is 404, with which Nix goes on to the next cache; what
 * may be had in a moment is 503, which it tries again.
 */
export const STATUS_OF_BRIDGE_ERROR: Readonly<Record<NarBridgeErrorCode, number>> = {
  INVALID_REQUEST: 400,
  INVALID_COMPRESSION: 400,
  TOO_LARGE: 413,
  FILE_HASH_MISMATCH: 400,
  UNKNOWN_NAR: 400,
  PATH_MISMATCH: 400,
  READ_ONLY: 403,
  NOT_FOUND: 404,
  TIMED_OUT: 408,
  TOO_BUSY: 503,
  UPSTREAM_FAILED: 404,
  UPSTREAM_UNAVAILABLE: 503,
};

/** The same for errors of blobs and directories. */
export const HTTP_STATUS_OF_CASTORE_ERROR: Readonly<Record<CastoreErrorCode, number>> = {
  INVALID_DIGEST: 400,
  INVALID_NAME: 400,
  INVALID_SYMLINK_TARGET: 400,
  INVALID_PATH: 400,
  INVALID_NODE: 400,
  INVALID_ORDER: 400,
  DUPLICATE_NAME: 400,
  SIZE_OVERFLOW: 400,
  INVALID_CLOSURE: 400,
  TOO_DEEP: 400,
  TOO_LARGE: 413,
  READ_ONLY: 403,
  CORRUPT: 404,
  INCOMPLETE: 404,
  INVALID_RESPONSE: 502,
  UNSUPPORTED_FILE_TYPE: 400,
  ALREADY_EXISTS: 409,
  CHANGED_WHILE_READING: 409,
  LOCKED: 503,
  NOT_A_STORE: 503,
  UNKNOWN_FORMAT: 503,
  CLOSED: 503,
  NO_SPACE: 507,
  STORAGE_FAILURE: 503,
  TOO_BUSY: 503,
  UNAVAILABLE: 503,
  REMOTE_FAILURE: 502,
};

/** The same for errors of path infos. */
export const HTTP_STATUS_OF_STORE_ERROR: Readonly<Record<StoreErrorCode, number>> = {
  INVALID_PATH_INFO: 400,
  NAR_HASH_MISMATCH: 400,
  NAR_SIZE_MISMATCH: 400,
  CONTENT_ADDRESS_MISMATCH: 400,
  INVALID_NAME: 400,
  INVALID_NODE: 400,
  MISSING_REFERENCES: 400,
  UNTRUSTED: 403,
  FORBIDDEN: 403,
  CONFLICT: 409,
  IN_USE: 409,
  SIZE_MISMATCH: 404,
  CORRUPT: 404,
  INVALID_RESPONSE: 502,
};

/** What a client is told of an error. */
export interface ErrorAnswer {
  readonly status: number;
  /** One line. */
  readonly text: string;
  /** Whether it is ours, and belongs into the log. */
  readonly ours: boolean;
}

/**
 * What to answer; errors that nobody foresaw tell a client nothing.
 *
 * @param isReading whether the client sent nothing that could be at fault
 */
export function answerOf(error: unknown, isReading: boolean): ErrorAnswer {
  const status = statusOf(error, isReading);
  if (status === undefined) return { status: 500, text: "internal error", ours: true };
  const isOfStore = CastoreError.is(error) || StoreError.is(error) || error instanceof NarError;
  const ours = status >= 500 || (status === 404 && isOfStore);
  return { status, text: textOf(error, status), ours };
}

function statusOf(error: unknown, isReading: boolean): number | undefined {
  if (NarBridgeError.is(error)) return STATUS_OF_BRIDGE_ERROR[error.code];
  if (CastoreError.is(error)) return HTTP_STATUS_OF_CASTORE_ERROR[error.code];
  if (StoreError.is(error)) return HTTP_STATUS_OF_STORE_ERROR[error.code];
  // What a client sent is no NAR, narinfo or name; or what is stored cannot be one.
  if (error instanceof NarError || error instanceof NarInfoError || error instanceof NixCompatError)
    return isReading ? 404 : 400;
  return statusOfFastify(error);
}

/** Failures of fastify itself, such as of a header it cannot read, have a status of a client's mistake. */
function statusOfFastify(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const status = Number(error.statusCode);
  return status >= 400 && status < 500 && status !== 401 ? status : undefined;
}

/** Messages of storage may name places on our disk. */
function textOf(error: unknown, status: number): string {
  if (CastoreError.is(error) && status >= 500)
    return STORAGE_TEXTS[error.code] ?? "the store is not available";
  return error instanceof Error ? error.message.replaceAll(/[\r\n]+/g, " ") : "";
}

const STORAGE_TEXTS: Partial<Readonly<Record<CastoreErrorCode, string>>> = {
  NO_SPACE: "no space is left for what is stored",
  TOO_BUSY: "too much is under way, try again later",
  STORAGE_FAILURE: "the storage has failed",
  CLOSED: "the server is shutting down",
  UNAVAILABLE: "a store behind this one cannot be reached",
};
