import type { RecordStore, StoredBlobs } from "@tvix/castore";
import type { Store } from "@tvix/castore-packs";
import { type NarBridgeServices, narBridgeRecords } from "@tvix/nar-bridge";
import { MeasuringNarLengths } from "@tvix/store";
import { RecordNarLengths, RecordNarPlans } from "@tvix/store/records";
import type { LocalServices } from "./services.ts";

/** What a binary cache in front of a store needs. */
export function binaryCacheServicesOf(store: Store, services: LocalServices): NarBridgeServices {
  return binaryCacheServices(services, store.database, store.storedBlobs);
}

/**
 * What a binary cache needs in front of services that lie anywhere.
 *
 * @param records keep what it remembers itself
 * @param storedBlobs the same blobs as they are stored, where all of them are here; else NARs are offered
 *   uncompressed
 */
export function binaryCacheServices(
  services: LocalServices,
  records: RecordStore,
  storedBlobs: StoredBlobs | undefined,
): NarBridgeServices {
  const { blobService, directoryService, pathInfoService, narCalculationService, narIndex } = services;
  const narPlans = storedBlobs && new RecordNarPlans(records, storedBlobs);
  const measuring = new MeasuringNarLengths({ directoryService, storedBlobs, narPlans });
  return {
    ...narBridgeRecords(records),
    blobService,
    directoryService,
    storedBlobs,
    narPlans,
    pathInfoService,
    narCalculationService,
    narIndex,
    narLengths: new RecordNarLengths(records, measuring),
  };
}
