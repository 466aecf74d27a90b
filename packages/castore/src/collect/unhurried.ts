import type { RecordStore } from "../records/record-store.ts";
import { UnhurriedRecordStore } from "../records/unhurried-record-store.ts";
import type { Scratch } from "./collect.ts";

/** What long work is done on. */
export interface WorkOnRecords {
  readonly records: RecordStore;
  /** Makes records for the length of it. */
  readonly openScratch: () => Promise<Scratch>;
}

/** The same parts, for work that takes long anyway: all others go first. */
export function unhurried<P extends WorkOnRecords>(parts: P): P {
  return {
    ...parts,
    records: new UnhurriedRecordStore(parts.records),
    async openScratch() {
      const scratch = await parts.openScratch();
      return { records: new UnhurriedRecordStore(scratch.records), remove: () => scratch.remove() };
    },
  };
}
