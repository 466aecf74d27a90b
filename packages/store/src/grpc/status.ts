import { Code, ConnectError } from "@connectrpc/connect";
import { toConnectError as castoreError, ERROR_CODE_TRAILER } from "@tvix/castore-grpc";
import { NarError } from "@tvix/nar";
import { NixCompatError } from "@tvix/nix-compat";
import { StoreError, type StoreErrorCode } from "../errors/store-error.ts";

/** The gRPC status of each error. */
export const STATUS_OF_STORE_ERROR: Readonly<Record<StoreErrorCode, Code>> = {
  INVALID_PATH_INFO: Code.InvalidArgument,
  NAR_HASH_MISMATCH: Code.InvalidArgument,
  NAR_SIZE_MISMATCH: Code.InvalidArgument,
  CONTENT_ADDRESS_MISMATCH: Code.InvalidArgument,
  INVALID_NAME: Code.InvalidArgument,
  INVALID_NODE: Code.InvalidArgument,
  MISSING_REFERENCES: Code.FailedPrecondition,
  UNTRUSTED: Code.PermissionDenied,
  FORBIDDEN: Code.PermissionDenied,
  CONFLICT: Code.AlreadyExists,
  IN_USE: Code.FailedPrecondition,
  SIZE_MISMATCH: Code.DataLoss,
  CORRUPT: Code.DataLoss,
  INVALID_RESPONSE: Code.Internal,
};

/** Any failure as a status for a client; of errors that are not ours only that there was one. */
export function toConnectError(error: unknown, signal?: AbortSignal): ConnectError {
  if (StoreError.is(error)) return statusOf(error, STATUS_OF_STORE_ERROR[error.code]);
  if (NixCompatError.is(error)) return statusOf(error, Code.InvalidArgument);
  // A tree that no NAR can hold: the client's, who asks for its NAR.
  if (NarError.is(error)) return statusOf(error, Code.FailedPrecondition);
  return castoreError(error, signal);
}

function statusOf(error: Error & { code: string }, status: Code): ConnectError {
  return new ConnectError(error.message, status, { [ERROR_CODE_TRAILER]: error.code }, undefined, error);
}
