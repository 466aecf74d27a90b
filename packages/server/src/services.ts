import type { CastoreServices } from "@tvix/castore/grpc";
import type { Store } from "@tvix/castore/node";
import type { SecretKey } from "@tvix/narinfo";
import {
  CachePathInfoService,
  MemoryPathInfoService,
  RenderingNarCalculation,
  SigningPathInfoService,
} from "@tvix/store";
import type { StoreServices } from "@tvix/store/grpc";
import { LevelNarCalculation, LevelPathInfoService } from "@tvix/store/level";

/** All services of a store. */
export interface Services extends CastoreServices, StoreServices {}

/** PathInfos that are kept in memory, some KiB each. */
const REMEMBERED_PATH_INFOS = 5000;

/**
 * The services of a store in a folder.
 *
 * @param signingKey signs every path info that is put
 */
export function servicesOf(store: Store, signingKey?: SecretKey): Services {
  const { blobService, directoryService, database } = store;
  const stored = new LevelPathInfoService(database);
  const signed = signingKey === undefined ? stored : new SigningPathInfoService(stored, signingKey);
  const rendering = new RenderingNarCalculation({ blobService, directoryService });
  return {
    blobService,
    directoryService,
    pathInfoService: new CachePathInfoService(
      new MemoryPathInfoService({ maxEntries: REMEMBERED_PATH_INFOS }),
      signed,
    ),
    narCalculationService: new LevelNarCalculation(database, rendering),
  };
}
