import type { RecordStore } from "@tvix/castore";
import { RecordNarInfoExtras } from "./narinfo-extras/records.ts";
import type { NarBridgeRecords } from "./options.ts";
import { RecordPendingNarInfos } from "./pending/records.ts";
import { RecordSideFiles } from "./side-files/records.ts";

/** What a binary cache remembers of its own, beside the records of a store. */
export function narBridgeRecords(records: RecordStore): NarBridgeRecords {
  return {
    sideFiles: new RecordSideFiles(records),
    narInfoExtras: new RecordNarInfoExtras(records),
    pendingNarInfos: new RecordPendingNarInfos(records),
  };
}
