import type { CastoreServices } from "@tvix/castore-grpc";
import type { Store } from "@tvix/castore-packs";
import type { SecretKey } from "@tvix/narinfo";
import {
  CachePathInfoService,
  IndexingPathInfoService,
  MemoryPathInfoService,
  type NarIndex,
  type PathInfoService,
  RenderingNarCalculation,
  SigningPathInfoService,
} from "@tvix/store";
import { PathUsage, UsedPathInfoService } from "@tvix/store/collect";
import type { StoreServices } from "@tvix/store/grpc";
import {
  Arrivals,
  ArrivingPathInfoService,
  RecordNarCalculation,
  RecordNarIndex,
  RecordPathInfoService,
} from "@tvix/store/records";

/** All services that a peer has. */
export interface Services extends CastoreServices, StoreServices {}

/** All services of a store. */
export interface LocalServices extends Services {
  readonly narIndex: NarIndex;
}

/** The services of a store in a folder. */
export interface FolderServices extends LocalServices {
  /** When which path was used last. */
  readonly usage: PathUsage;
  /** When which path came. */
  readonly arrivals: Arrivals;
}

/** PathInfos that are kept in memory: most have some KiB. */
const REMEMBERED_PATH_INFO_BYTES = 16 << 20;

/** How long they are, of a store that others change as well, in milliseconds. */
const REMEMBERED_MS = 15_000;

/**
 * The services of a store in a folder.
 *
 * @param signingKeys sign every path info that is put, each of them
 */
export function servicesOf(store: Store, signingKeys: readonly SecretKey[] = []): FolderServices {
  const { blobService, directoryService, database } = store;
  const narIndex = new RecordNarIndex(database);
  const stored = new IndexingPathInfoService(new RecordPathInfoService(database), narIndex);
  const remembered = new CachePathInfoService(
    new MemoryPathInfoService({
      maxBytes: REMEMBERED_PATH_INFO_BYTES,
      maxAgeMs: store.isShared ? REMEMBERED_MS : undefined,
    }),
    stored,
  );
  const usage = new PathUsage(database);
  const arrivals = new Arrivals(database);
  const arriving = new ArrivingPathInfoService(remembered, arrivals);
  const rendering = new RenderingNarCalculation({ blobService, directoryService });
  return {
    blobService,
    directoryService,
    pathInfoService: signing(new UsedPathInfoService(arriving, usage), signingKeys),
    narCalculationService: new RecordNarCalculation(database, rendering),
    narIndex,
    usage,
    arrivals,
  };
}

/** The same path infos, of which those that are put are signed with some keys. */
export function signing(service: PathInfoService, keys: readonly SecretKey[]): PathInfoService {
  return keys.length === 0 ? service : new SigningPathInfoService(service, keys);
}
