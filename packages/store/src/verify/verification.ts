import type { Node, Table } from "@tvix/castore";
import type { Fault, Scratch, VerificationParts, VerifiedCounts } from "@tvix/castore/backend";

/** What is looked through. */
export interface StoreVerificationParts extends VerificationParts {
  /** Makes empty records, which should be near. */
  readonly openScratch: () => Promise<Scratch>;
  /** Further tables, whose records are to be readable. */
  // biome-ignore lint/suspicious/noExplicitAny: of whatever keys and values
  readonly tables?: readonly Table<any, any>[];
  /** Looks whether all records are there a second time; default: they are not expected to be. */
  readonly checkJournal?: (() => Promise<boolean>) | undefined;
  /** What else contents are reached from, by names for people. */
  readonly rootsAlso?: () => AsyncIterable<{ readonly name: string; readonly node: Node }>;
}

/** Something that is wrong in a store, and where that shows. */
export interface StoreFault extends Fault {
  /** What lacks it: a store path, or the name of a pin. Undefined where the fault as such is told. */
  readonly of?: string;
}

/** What was looked at. */
export interface VerifiedStoreCounts extends VerifiedCounts {
  paths: number;
}
