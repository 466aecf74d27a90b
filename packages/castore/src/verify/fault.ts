import type { RecordCondition } from "../records/record-store.ts";
import type { Content } from "../records/tables.ts";

/** What a piece of content is, or a record beside contents. */
export type FaultySubject = "chunk" | "blob" | "directory" | "path-info" | "record";

/**
 * What is wrong:
 *
 * - `damaged`: what is stored cannot be read, or is something else;
 * - `missing`: something refers to it, and it is not there;
 * - `orphaned`: nothing can reach it, nor will a collection.
 */
export type FaultKind = "damaged" | "missing" | "orphaned";

/** Something that is wrong in a store. */
export interface Fault {
  readonly subject: FaultySubject;
  /** A digest, a store path, or the name of a record. */
  readonly name: string;
  readonly kind: FaultKind;
  /** For people. */
  readonly text: string;
}

/** A fault, and what it lies in. */
export interface LocatedFault {
  readonly fault: Fault;
  /** The content that lacks something. */
  readonly content?: Content | undefined;
  /** The record that is of no use, as it is. */
  readonly record?: RecordCondition | undefined;
}
