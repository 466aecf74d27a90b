import type { Store } from "@tvix/castore/node";
import { type NarBridgeServices, narBridgeRecords } from "@tvix/nar-bridge";
import { MeasuringNarLengths } from "@tvix/store";
import { RecordNarLengths } from "@tvix/store/records";
import type { LocalServices } from "./services.ts";

/** What a binary cache in front of a store needs. */
export function binaryCacheServicesOf(store: Store, services: LocalServices): NarBridgeServices {
  const { blobService, directoryService, storedBlobs, database } = store;
  const measuring = new MeasuringNarLengths({ directoryService, storedBlobs });
  return {
    ...narBridgeRecords(database),
    blobService,
    directoryService,
    storedBlobs,
    pathInfoService: services.pathInfoService,
    narCalculationService: services.narCalculationService,
    narIndex: services.narIndex,
    narLengths: new RecordNarLengths(database, measuring),
  };
}
