import { Code, ConnectError } from "@connectrpc/connect";
import { CASTORE_ERROR_CODES, CastoreError, type CastoreErrorCode } from "@tvix/castore";

/** The gRPC status of each error. A client's mistake is never our failure, nor the other way round. */
export const STATUS_OF_ERROR: Readonly<Record<CastoreErrorCode, Code>> = {
  INVALID_DIGEST: Code.InvalidArgument,
  INVALID_NAME: Code.InvalidArgument,
  INVALID_SYMLINK_TARGET: Code.InvalidArgument,
  INVALID_PATH: Code.InvalidArgument,
  INVALID_NODE: Code.InvalidArgument,
  INVALID_ORDER: Code.InvalidArgument,
  DUPLICATE_NAME: Code.InvalidArgument,
  SIZE_OVERFLOW: Code.InvalidArgument,
  INVALID_CLOSURE: Code.InvalidArgument,
  TOO_DEEP: Code.InvalidArgument,
  TOO_LARGE: Code.ResourceExhausted,
  READ_ONLY: Code.PermissionDenied,
  CORRUPT: Code.DataLoss,
  INCOMPLETE: Code.DataLoss,
  INVALID_RESPONSE: Code.Internal,
  UNSUPPORTED_FILE_TYPE: Code.FailedPrecondition,
  ALREADY_EXISTS: Code.AlreadyExists,
  CHANGED_WHILE_READING: Code.Aborted,
  LOCKED: Code.Unavailable,
  NOT_A_STORE: Code.FailedPrecondition,
  UNKNOWN_FORMAT: Code.Internal,
  CLOSED: Code.Unavailable,
  NO_SPACE: Code.ResourceExhausted,
  STORAGE_FAILURE: Code.Internal,
  TOO_BUSY: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  REMOTE_FAILURE: Code.Internal,
};

/** Trailer that carries our code to clients of this package. */
export const ERROR_CODE_TRAILER = "tvix-error-code";

const ERROR_CODE_OF_STATUS: Readonly<Partial<Record<Code, string>>> = {
  [Code.InvalidArgument]: "INVALID_REQUEST",
  [Code.NotFound]: "NOT_FOUND",
  [Code.ResourceExhausted]: "TOO_LARGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.Canceled]: "CANCELLED",
  [Code.Unavailable]: "UNAVAILABLE",
};

/** What {@link ERROR_CODE_TRAILER} says of a failure that is none of our errors: a code for its status. */
export function errorCodeOfStatus(status: Code): string {
  return ERROR_CODE_OF_STATUS[status] ?? "INTERNAL";
}

/**
 * Any failure as a status for a client: code and message of our errors, nothing at all of
 * others, whose messages may hold paths. The original stays its cause, for the log.
 */
export function toConnectError(error: unknown, signal?: AbortSignal): ConnectError {
  if (error instanceof ConnectError) return error;
  if (CastoreError.is(error)) {
    const trailer = { [ERROR_CODE_TRAILER]: error.code };
    return new ConnectError(error.message, STATUS_OF_ERROR[error.code], trailer, undefined, error);
  }
  if (signal?.aborted === true) return ConnectError.from(signal.reason, Code.Canceled);
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** Whether a call has failed through a fault of the server's own: what belongs into its log. */
export function isServerFailure({ code }: ConnectError): boolean {
  return code === Code.Internal || code === Code.DataLoss || code === Code.Unknown;
}

/**
 * A failed call as this package's error; where the call was given up, the signal's reason.
 *
 * @param what was asked of the peer, for the message
 */
export function fromConnectError(reason: unknown, what: string, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (CastoreError.is(reason)) return reason;
  const error = ConnectError.from(reason);
  const code = error.metadata.get(ERROR_CODE_TRAILER);
  return new CastoreError(
    isErrorCode(code) ? code : codeOfStatus(error.code),
    `${what}: ${error.rawMessage}`,
    {
      cause: error,
    },
  );
}

function codeOfStatus(code: Code): CastoreErrorCode {
  switch (code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
      return "UNAVAILABLE";
    case Code.ResourceExhausted:
      return "TOO_LARGE";
    case Code.DataLoss:
      return "CORRUPT";
    default:
      return "REMOTE_FAILURE";
  }
}

function isErrorCode(code: string | null): code is CastoreErrorCode {
  return CASTORE_ERROR_CODES.some((known) => known === code);
}
