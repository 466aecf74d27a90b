import type { RecordChange } from "@tvix/castore";

/** What a database writes its changes to before it makes them: with that, its own files need not be flushed. */
export interface WriteAheadLog {
  /**
   * Writes changes down; called again when they have been made. After a failure, of this or of making them, not before
   * {@link recover} was called.
   *
   * @returns what belongs into the same batch of the database, when they are as durable as writes are to be
   * @throws CastoreError: they are not made
   */
  append(changes: readonly RecordChange[]): Promise<readonly RecordChange[]>;
  /** Called when the database was opened again after a failure: makes the changes that are in the log. */
  recover(): Promise<void>;
}
