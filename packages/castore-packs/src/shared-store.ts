import { mkdir } from "node:fs/promises";
import { useNativeBlake3 } from "@tvix/blake3-native";
import { CastoreError, InTurn, type RecordStore } from "@tvix/castore";
import { type CompactionOptions, type Extents, FACTS, removeExpiredUploads } from "@tvix/castore/backend";
import { EXTENTS_ID } from "./extents-id.ts";
import { openScratch, removeScratch } from "./scratch.ts";
import { serveChunks } from "./serve-chunks.ts";
import type { StoreSize } from "./store-activity.ts";
import { storeIdOf } from "./store-id.ts";
import type { ServedStoreOptions, Store } from "./store-options.ts";

/** Where a store lies that several processes share. */
export interface SharedStoreParts {
  readonly records: RecordStore;
  /** Where chunks lie that are longer than a few KiB. Undefined: in the records as well. */
  readonly extents:
    | (Extents & {
        /** Gives back what uploads of processes have left that are no more. */
        removeAbandoned?(): Promise<number>;
        /** Forgets what is kept nearby of extents that others have retired. */
        refresh?(): Promise<void>;
      })
    | undefined;
  /** Bytes that the records take. Default: not known, and 0. */
  readonly measureRecords?: () => Promise<number>;
  /** Why the records cannot be used at present. Default: they are taken to be well. */
  readonly checkRecords?: () => Promise<CastoreError | undefined>;
}

/** How a store works that several processes share. */
export interface SharedStoreOptions extends ServedStoreOptions {
  /** A folder of this process alone for what a collection looks through; it is made where it is not there. */
  readonly scratchFolder: string;
}

/** How often it is asked what other processes have found damaged, in milliseconds. */
const REFRESH_MS = 5_000;

/** How often it is looked for what others have removed and is kept nearby, in milliseconds. */
const FORGET_MS = 60_000;

/** How long the size of a store is remembered, in milliseconds. */
const MEASURED_MS = 60_000;

/** How often it is looked for what processes have left that are no more, in milliseconds. */
const SWEEP_MS = 3_600_000;

/** As suits engines that are some milliseconds to tens of milliseconds away. */
const FAR = { chunksAhead: 64, readAheadBytes: 32 << 20, inFlightBytes: 32 << 20, inlineBytes: 4096 };

/**
 * Opens a store whose records and extents other processes use at the same time: nothing is taken for granted that one
 * of them might change. Records and extents are closed with it.
 *
 * @throws CastoreError NOT_A_STORE when there are extents, and none are given; UNAVAILABLE, STORAGE_FAILURE
 */
export async function openSharedStore(
  { records, extents, measureRecords, checkRecords }: SharedStoreParts,
  options: SharedStoreOptions,
): Promise<Store> {
  useNativeBlake3();
  const { scratchFolder } = options;
  if (extents === undefined && (await FACTS.has(records, EXTENTS_ID))) {
    throw new CastoreError(
      "NOT_A_STORE",
      "longer chunks of this store lie elsewhere: say where, with extents",
    );
  }
  await mkdir(scratchFolder, { recursive: true });
  await removeScratch(scratchFolder);
  const id = await storeIdOf(records, true);
  const places = {
    records,
    extents,
    openScratch: () => openScratch(scratchFolder),
    shared: true,
    distance: FAR,
  };
  const served = await serveChunks(places, options);
  const sweep = async () => {
    await removeExpiredUploads(records);
    await extents?.removeAbandoned?.();
  };
  // What fails now is done next time.
  const sweeping = setInterval(() => void sweep().catch(() => {}), SWEEP_MS).unref();
  const refreshing = setInterval(() => void served.refresh().catch(() => {}), REFRESH_MS).unref();
  const forget = () => void extents?.refresh?.().catch(() => {});
  forget();
  const forgetting = setInterval(forget, FORGET_MS).unref();
  const measure = async (): Promise<StoreSize> => {
    let packs = 0;
    for await (const { length } of extents?.list() ?? []) packs += length;
    return { packs, index: (await measureRecords?.()) ?? 0, journal: 0 };
  };
  let measuredAt = Number.NEGATIVE_INFINITY;
  let measured: Promise<StoreSize> = Promise.resolve({ packs: 0, index: 0, journal: 0 });
  const inTurn = new InTurn();
  let closing: Promise<void> | undefined;
  const closeAll = async () => {
    clearInterval(sweeping);
    clearInterval(refreshing);
    clearInterval(forgetting);
    try {
      await served.close();
      await extents?.close();
    } finally {
      await records.close();
    }
  };
  const close = () => {
    closing ??= closeAll();
    return closing;
  };
  return {
    ...served.core,
    id,
    isShared: true,
    get activity() {
      return served.activity();
    },
    size() {
      // Whoever watches it asks often, and there may be very many extents.
      if (performance.now() - measuredAt > MEASURED_MS) {
        measuredAt = performance.now();
        measured = measure();
        measured.catch(() => {
          measuredAt = Number.NEGATIVE_INFINITY;
        });
      }
      return measured;
    },
    findLostChunks: (options) => inTurn.run("compaction", () => served.findLostChunks(options)),
    compact: (options?: CompactionOptions) => inTurn.run("compaction", () => served.compact(options)),
    check: async () => (await checkRecords?.()) ?? (await extents?.recover()),
    close,
    [Symbol.asyncDispose]: close,
  };
}
