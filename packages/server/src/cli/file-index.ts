import { encodeNixbase32 } from "@tvix/nix-compat";
import type { PathInfoService } from "@tvix/store";
import {
  BackgroundFileIndexing,
  FileIndex,
  FileIndexingPathInfoService,
  RecordPathInfoService,
} from "@tvix/store/records";
import type { Logger } from "pino";
import type { OpenStore } from "../compose/environment.ts";
import { UsageError } from "./repeatable.ts";

/** An index of the files of a store, and what keeps it up to date. */
export interface IndexedFiles {
  readonly index: FileIndex;
  /** The same path infos; files of those that are put are indexed soon. */
  noted(pathInfos: PathInfoService): PathInfoService;
  close(): Promise<void>;
}

/**
 * Indexes the files of a store while it is served.
 *
 * @param home undefined where not all of the store lies in one place
 * @throws UsageError where it does not
 */
export function indexFiles(home: OpenStore | undefined, log: Logger): IndexedFiles {
  if (home === undefined) {
    throw new UsageError("--file-index is for a store that lies in one data directory as a whole");
  }
  const { database: records, directoryService } = home.store;
  const indexing = new BackgroundFileIndexing({ records, directoryService }, (err, pathDigest) => {
    log.warn({ err, path: pathDigest && encodeNixbase32(pathDigest) }, "files could not be indexed");
  });
  return {
    // Whoever looks for files does not use the paths that have them.
    index: new FileIndex(records, new RecordPathInfoService(records)),
    noted: (pathInfos) => new FileIndexingPathInfoService(pathInfos, indexing),
    close: () => indexing.close(),
  };
}
