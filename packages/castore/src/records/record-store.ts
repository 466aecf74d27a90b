import type { OperationOptions } from "../options.ts";

/** One change of a {@link RecordStore}. */
export type RecordChange =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

/** What has to hold for a write to be done. */
export interface RecordCondition {
  readonly key: Uint8Array;
  /** What the record has to be, byte for byte; undefined: there must be none. */
  readonly value: Uint8Array | undefined;
}

/** Keys that are looked through. */
export interface RecordRange {
  /** What they begin with. */
  readonly prefix: Uint8Array;
  /** A key that is known already, there or not: those behind it follow. Default: from the first one on. */
  readonly after?: Uint8Array | undefined;
}

/**
 * Small records by their keys, bytes by bytes: what every store keeps beside the bytes of chunks. Keys
 * have up to some hundred bytes, values up to some MiB; keys are ordered by their bytes.
 *
 * Several processes may use one. What is read is what was acknowledged last, or is being written; there is
 * no snapshot over several reads.
 *
 * Every method fails with CastoreError: CLOSED after the store was closed, NO_SPACE, STORAGE_FAILURE; and
 * {@link entries} with the reason of its signal.
 */
export interface RecordStore {
  /** The value of a key; undefined when there is none. The bytes are not changed by anybody. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** The values of many keys, in their order: all of one moment, or each read after those in front of it. */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Whether a key has a value. */
  has(key: Uint8Array): Promise<boolean>;
  /**
   * Makes all changes or none; returns when they are as durable as the store makes them.
   *
   * @param changes their bytes are the store's from then on: nobody changes them
   * @param conditions are looked at together with the write: nobody changes their records in between
   * @returns false when a condition does not hold, and nothing was changed
   */
  write(changes: readonly RecordChange[], conditions?: readonly RecordCondition[]): Promise<boolean>;
  /** The records of a range, in the order of their keys. What is written meanwhile may be among them. */
  entries(
    range: RecordRange,
    options?: OperationOptions,
  ): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /** Finishes what is being written; then every other method fails. Calling it again does nothing. */
  close(): Promise<void>;
}
