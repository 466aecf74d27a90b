import { S3ServiceException } from "@aws-sdk/client-s3";
import { CastoreError } from "@tvix/castore";

/** How it is said that an object, an upload or a range of bytes is not there; without a body it is only said that something is not. */
const MISSING: ReadonlySet<string> = new Set(["NoSuchKey", "NoSuchUpload", "InvalidRange", "NotFound"]);

/**
 * Whether an object, an upload or a range of bytes is not there. A bucket that is not there is another matter, and what some
 * proxy does not find.
 */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof S3ServiceException) || !MISSING.has(error.name)) return false;
  const { httpStatusCode } = error.$metadata;
  return httpStatusCode === 404 || httpStatusCode === 416;
}

/** What a refusal or a failure of the object store is to a caller: what it says of hosts and keys is in the cause only. */
export function s3Failure(verb: "read" | "written", cause: unknown): CastoreError {
  const status = cause instanceof S3ServiceException ? cause.$metadata.httpStatusCode : undefined;
  if (status === 507 || (cause instanceof S3ServiceException && cause.name === "QuotaExceeded")) {
    return new CastoreError("NO_SPACE", "the object store has no space left", { cause });
  }
  if (status === undefined || status === 429 || status >= 500) {
    // Neither is an error of the service one without a status: who we are could not be found out.
    const isUnknown = cause instanceof Error && cause.name === "CredentialsProviderError";
    if (!isUnknown) return new CastoreError("UNAVAILABLE", "the object store does not answer", { cause });
  }
  const reason = cause instanceof Error ? cause.name : "unknown";
  return new CastoreError("STORAGE_FAILURE", `an object could not be ${verb}: ${reason}`, { cause });
}
