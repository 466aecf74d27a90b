import { CastoreError } from "@tvix/castore";

/** What the failure of a database is to a caller. */
export function databaseFailure(cause: unknown): CastoreError {
  if (CastoreError.is(cause)) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "LEVEL_DATABASE_NOT_OPEN" || code === "LEVEL_ITERATOR_NOT_OPEN")
    return new CastoreError("CLOSED", "the store is closed", { cause });
  if (isDiskFull(cause)) return new CastoreError("NO_SPACE", "no space is left for the index", { cause });
  return new CastoreError("STORAGE_FAILURE", "the database failed", { cause });
}

/** A disk or a quota that is full. LevelDB passes on the system's text only, not its code. */
const FULL_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);
const FULL = /No space left on device|Disk quota exceeded/;

function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && FULL_CODES.has(error.code)) return true;
  return FULL.test(error.message) || isDiskFull(error.cause);
}
