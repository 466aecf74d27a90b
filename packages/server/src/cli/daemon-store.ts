import { resolve } from "node:path";
import { type MemoryLedger, MemoryRecordStore, type RecordStore, type StoredBlobs } from "@tvix/castore";
import { openStore, type Store } from "@tvix/castore-packs";
import { type FileIndex, PathInfoPages, RecordNarCalculation, RecordNarIndex } from "@tvix/store/records";
import { DailyFigures } from "@tvix/store/stats";
import type { Logger } from "pino";
import { connectPeer } from "../compose/connect-peer.ts";
import type { CompositionEnvironment, OpenStore } from "../compose/environment.ts";
import { type OpenComposition, openComposition } from "../compose/open-composition.ts";
import { storeServicesOf } from "../compose/store-services.ts";
import type { KeptPaths } from "../lookup/handlers.ts";
import { CountedDaily } from "../maintenance/counted-daily.ts";
import { LocalMaintenance } from "../maintenance/local-maintenance.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import { openRepairSources } from "../maintenance/repair-sources.ts";
import type { LocalServices } from "../services.ts";
import { limitsOfUploads } from "./binary-cache-options.ts";
import { daemonComposition, liesInDataDirectory } from "./daemon-composition.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { indexFiles } from "./file-index.ts";
import { collectionDefaults } from "./gc-options.ts";
import { openShared } from "./shared-store.ts";

/** What a daemon serves, and where it keeps what it remembers itself. */
export interface DaemonStore {
  readonly services: LocalServices;
  /** What the binary cache remembers, such as which contents a NAR has. */
  readonly records: RecordStore;
  /** The blobs as they are stored, where all of them lie in one data directory. */
  readonly storedBlobs: StoredBlobs | undefined;
  /** What those who run it do with it; undefined where not all of it lies in one data directory. */
  readonly maintenance: Maintenance | undefined;
  /** What is known of path infos, where all of them are in one store here. */
  readonly keptPaths: KeptPaths | undefined;
  /** Where files of some name are, where that is kept. */
  readonly fileIndex: FileIndex | undefined;
  /** Data directories that are open. */
  readonly stores: readonly Store[];
  /** Says what is wrong with any of these, and tries to mend it. */
  check(): Promise<Error | undefined>;
  close(): Promise<void>;
}

/** What a daemon opens its store with. */
export interface DaemonStoreParts {
  readonly memory: MemoryLedger;
  readonly log: Logger;
  /** Further headers of each request to a binary cache. */
  readonly upstreamHeaders: (() => Readonly<Record<string, string>>) | undefined;
  readonly observerOf: CompositionEnvironment["observerOf"];
}

/**
 * How long a daemon waits for other stores: those who ask it do not wait for one that is away, but while it
 * is restarted. One that takes what it is sent, and says nothing any more, is given up after two to three times the
 * time between pings. Addresses say what else there is to say.
 */
const TO_PEERS = { connectTimeoutMs: 3000, keepaliveMs: 5000, reconnectMs: 3000, restMs: 5000 };

/** Opens the store of a daemon. */
export async function openDaemonStore(options: DaemonOptions, parts: DaemonStoreParts): Promise<DaemonStore> {
  const { memory, log, upstreamHeaders, observerOf } = parts;
  const { sync, compressionLevel, maxMessageBytes: maxDirectoryBytes, maxDiskUse } = options;
  const maxDiskBytes = maxDiskUse === undefined ? undefined : maxDiskUse * 2 ** 20;
  const onNotice = (text: string) => log.warn(text);
  const open = await openComposition(daemonComposition(options), {
    openStore: (path) =>
      openStore(path, { memory, sync, compressionLevel, maxDirectoryBytes, maxDiskBytes, onNotice }),
    openSharedStore: (address) =>
      openShared(address, {
        create: true,
        memory,
        compressionLevel,
        maxDirectoryBytes,
        folder: resolve(options.data),
        nearBytes: options.nearMaxSize === undefined ? undefined : options.nearMaxSize * 2 ** 20,
      }),
    connect: (peer) => connectPeer(peer, { ...TO_PEERS, maxMessageBytes: maxDirectoryBytes }),
    maxDirectoryBytes,
    memory,
    log,
    upstreamLimits: limitsOfUploads(options),
    upstreamHeaders,
    observerOf,
  });
  try {
    return await daemonStoreOf(open, options, log);
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function daemonStoreOf(
  open: OpenComposition,
  options: DaemonOptions,
  log: Logger,
): Promise<DaemonStore> {
  const home = await homeOf(open, options);
  const records = home?.store.database ?? new MemoryRecordStore();
  const stores = open.openStores.map(({ store }) => store);
  const hasBlobs = open.blobService === home?.services.blobService;
  const isLocal = hasBlobs && open.directoryService === home.services.directoryService;
  const narIndex = home?.services.narIndex ?? new RecordNarIndex(records);
  const { narCalculationService, ...services } = storeServicesOf(open);
  const whole = home && isAllIn(home, open, options) ? home : undefined;
  const kept = whole && keptPathsOf(whole, log);
  const files = options.fileIndex === true ? indexFiles(whole, log) : undefined;
  return {
    services: {
      ...services,
      pathInfoService: files?.noted(services.pathInfoService) ?? services.pathInfoService,
      narCalculationService: isLocal
        ? home.services.narCalculationService
        : new RecordNarCalculation(records, narCalculationService),
      narIndex,
    },
    records,
    maintenance: whole && maintenanceOf(whole, options, log),
    keptPaths: kept,
    fileIndex: files?.index,
    storedBlobs: hasBlobs ? home.store.storedBlobs : undefined,
    stores,
    async check() {
      for (const store of stores) {
        const failure = await store.check();
        if (failure !== undefined) return failure;
      }
      return undefined;
    },
    async close() {
      await Promise.all([files?.close(), kept?.figures.close()]);
      await open.close();
    },
  };
}

function keptPathsOf({ store: { database }, services: { arrivals } }: OpenStore, log: Logger) {
  const figures = new CountedDaily(new DailyFigures(database), log);
  return { pages: new PathInfoPages(database), arrivals, figures };
}

/** Whether all that a daemon stores lies in one data directory; what it asks for what is not there does not count. */
function isAllIn({ services }: OpenStore, open: OpenComposition, options: DaemonOptions): boolean {
  const isLocal =
    open.blobService === services.blobService &&
    open.directoryService === services.directoryService &&
    open.pathInfoService === services.pathInfoService;
  return isLocal || liesInDataDirectory(options);
}

function maintenanceOf({ store, services }: OpenStore, options: DaemonOptions, log: Logger): Maintenance {
  const { maxMessageBytes, upstream = [] } = options;
  return new LocalMaintenance(store, services, {
    collection: collectionDefaults(options),
    openRepairSources: () =>
      openRepairSources(upstream, {
        services,
        connect: (peer) => connectPeer(peer, { ...TO_PEERS, maxMessageBytes }),
      }),
    onSourceFailure: (error) => log.warn({ err: error }, "what is lost could not be asked for"),
  });
}

/**
 * The store in which a daemon keeps what it remembers: the shared one, the data directory that it is given, or what its
 * services lie in. Undefined where they lie elsewhere, and nothing is said: then it remembers in memory.
 */
async function homeOf(open: OpenComposition, options: DaemonOptions) {
  if (options.records === undefined && options.dataIsGiven === true)
    return await open.dataDirectory(resolve(options.data));
  return open.openStores[0];
}
