import type { MemoryLedger } from "../memory-use/memory-ledger.ts";

/** How a near service in front of a far one behaves. */
export interface CacheOptions {
  /** Where puts go. Default `far`, so that the near one has nothing that the far one has not got. */
  readonly writes?: "near" | "far" | undefined;
  /**
   * Told of failures of the near service that those who ask do not see: what could not be kept, or
   * had to be fetched again. Default: nobody is told.
   */
  readonly onNearFailure?: ((error: unknown) => void) | undefined;
  /** What is held of what is being fetched is drawn from this. Default: whatever is needed. */
  readonly memory?: MemoryLedger | undefined;
}
