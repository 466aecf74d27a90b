import type { Database } from "@tvix/castore/level";
import { LevelNarInfoExtras } from "./narinfo-extras/level.ts";
import type { NarBridgeRecords } from "./options.ts";
import { LevelPendingNarInfos } from "./pending/level.ts";
import { LevelSideFiles } from "./side-files/level.ts";

/** What a binary cache remembers of its own, in the Level database of a store. */
export function levelRecords(database: Database): NarBridgeRecords {
  return {
    sideFiles: new LevelSideFiles(database),
    narInfoExtras: new LevelNarInfoExtras(database),
    pendingNarInfos: new LevelPendingNarInfos(database),
  };
}
