import { CastoreError } from "@tvix/castore";

/** States of SQL in which the same may well succeed a moment later: nothing of the transaction was done. */
const TRANSIENT_STATES: ReadonlySet<string> = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "25006", // read_only_sql_transaction: a standby that is about to be promoted
  "53200", // out_of_memory: the table of locks is full, too
  "53300", // too_many_connections
  "55P03", // lock_not_available
  "57014", // query_canceled: a limit of time
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
]);

/** Codes of the system for connections that were lost, or could not be made. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT", // the socket of a server that is being restarted
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What `pg` says of connections that end, without any code. */
const LOST =
  /Connection terminated|Query read timeout|timeout expired|timeout exceeded when trying to connect|not queryable/;

/** Whether a failure is that of a connection or a moment, and not of what was asked. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code === undefined) return LOST.test(error.message) || isAnyTransient(error);
  // Class 08: the connection.
  return TRANSIENT_STATES.has(code) || TRANSIENT_CODES.has(code) || /^08...$/.test(code);
}

/** Of a host with several addresses each has failed. */
function isAnyTransient(error: Error): boolean {
  return error instanceof AggregateError && error.errors.some(isTransient);
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What a failure of the database is to a caller: what it says of hosts and users is in the cause only. */
export function postgresFailure(cause: unknown): CastoreError {
  if (CastoreError.is(cause)) return cause;
  const code = cause instanceof Error ? codeOf(cause) : undefined;
  if (code === "53100") {
    return new CastoreError("NO_SPACE", "the database of the records has no space left", { cause });
  }
  if (isTransient(cause)) {
    return new CastoreError("UNAVAILABLE", "the database of the records cannot be reached", { cause });
  }
  return new CastoreError("STORAGE_FAILURE", "the database of the records failed", { cause });
}
