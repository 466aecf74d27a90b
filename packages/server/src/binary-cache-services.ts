import type { Store } from "@tvix/castore/node";
import { LevelSideFiles, type NarBridgeServices } from "@tvix/nar-bridge";
import { MeasuringNarLengths } from "@tvix/store";
import type { StoreServices } from "@tvix/store/grpc";
import { LevelNarIndex, LevelNarLengths } from "@tvix/store/level";

/** What a binary cache in front of a store needs. */
export function binaryCacheServicesOf(store: Store, { pathInfoService }: StoreServices): NarBridgeServices {
  const { blobService, directoryService, storedBlobs, database } = store;
  const measuring = new MeasuringNarLengths({ directoryService, storedBlobs });
  return {
    blobService,
    directoryService,
    storedBlobs,
    pathInfoService,
    narIndex: new LevelNarIndex(database),
    narLengths: new LevelNarLengths(database, measuring),
    sideFiles: new LevelSideFiles(database),
  };
}
