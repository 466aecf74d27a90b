import { CastoreError } from "@tvix/castore";

/** What a failure of the file system is to those who store chunks. */
export function storageFailure(
  verb: "read" | "written",
  cause: unknown,
  what: "pack" | "journal" = "pack",
): CastoreError {
  if (CastoreError.is(cause)) return cause;
  const full = isDiskFull(cause);
  const message = full ? `no space is left for a ${what}` : `a ${what} could not be ${verb}`;
  return new CastoreError(full ? "NO_SPACE" : "STORAGE_FAILURE", message, { cause });
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
