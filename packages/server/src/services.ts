import type { CastoreServices } from "@tvix/castore/grpc";
import type { Store } from "@tvix/castore/node";
import type { SecretKey } from "@tvix/narinfo";
import { RenderingNarCalculation, SigningPathInfoService } from "@tvix/store";
import type { StoreServices } from "@tvix/store/grpc";
import { LevelNarCalculation, LevelPathInfoService } from "@tvix/store/level";

/** All services of a store. */
export interface Services extends CastoreServices, StoreServices {}

/**
 * The services of a store in a folder.
 *
 * @param signingKey signs every path info that is put
 */
export function servicesOf(store: Store, signingKey?: SecretKey): Services {
  const { blobService, directoryService, database } = store;
  const pathInfos = new LevelPathInfoService(database);
  const rendering = new RenderingNarCalculation({ blobService, directoryService });
  return {
    blobService,
    directoryService,
    pathInfoService: signingKey === undefined ? pathInfos : new SigningPathInfoService(pathInfos, signingKey),
    narCalculationService: new LevelNarCalculation(database, rendering),
  };
}
