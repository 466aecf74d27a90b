import type { Principal } from "./principal.ts";

/** Options of every operation that waits. */
export interface OperationOptions {
  /** Ends the operation early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Who asks for it. Absent: the program itself, which may do everything. */
  readonly principal?: Principal | undefined;
}
