/** Options of every operation that waits. */
export interface OperationOptions {
  /** Ends the operation early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}
