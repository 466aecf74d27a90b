import type { OperationOptions, RecordStore } from "@tvix/castore";
import {
  type CollectionParts,
  type CollectionReport,
  type ContentCounts,
  collectGarbage,
  findGarbage,
  type Marker,
  type Scratch,
  unhurried,
} from "@tvix/castore/backend";
import type { StorePath } from "@tvix/nix-compat";
import { sweepFileIndex } from "../file-index/sweep-index.ts";
import { sweepArrivals } from "../records/arrivals.ts";
import { PATH_INFOS, USES } from "../records/tables.ts";
import type { PathUsage } from "./path-usage.ts";
import { type ReasonToGo, type RetainedPaths, type Retention, retain } from "./retention.ts";
import { type IsThere, markStore, sweepStore } from "./store-contents.ts";

/** What a collection of a store works on. */
export interface StoreCollectionParts {
  /** Path infos, directories, blobs: all of them. */
  readonly records: RecordStore;
  /** Makes empty records, which should be near. */
  readonly openScratch: () => Promise<Scratch>;
  /** Which paths were used when, where this process keeps that in mind. */
  readonly usage?: PathUsage | undefined;
  /** Told of each path that is there no more: what this process remembers of it is wrong from then on. */
  readonly onPathRemoved?: (digest: Uint8Array) => Promise<void>;
  /** Marks what else contents are reached from. */
  readonly markAlso?: (marker: Marker) => Promise<void>;
  /** Removes what else is known of paths that are there no more. */
  readonly removeLeftovers?: (records: RecordStore) => Promise<void>;
}

/** A store path that goes. */
export interface PathThatGoes {
  readonly storePath: StorePath;
  readonly reason: ReasonToGo;
}

/** How a store is collected. */
export interface CollectStoreOptions extends OperationOptions, Retention {
  /** Time between the two looks, in milliseconds: see `collectGarbage` of `@tvix/castore/backend`. */
  readonly graceMs: number;
  /** Told of each path that goes. */
  readonly onPath?: (path: PathThatGoes) => Promise<void> | void;
}

/** What a collection of a store has done. */
export interface StoreCollectionReport extends CollectionReport {
  /** Store paths that went. */
  readonly paths: number;
}

/**
 * Removes the store paths that a retention does not keep, and then the contents that nothing reaches any more, in two
 * looks.
 *
 * @throws CastoreError LOCKED when somebody collects; CORRUPT, INCOMPLETE when it cannot be told what is reachable
 */
export async function collectStore(
  hurried: StoreCollectionParts,
  options: CollectStoreOptions,
): Promise<StoreCollectionReport> {
  const parts = unhurried(hurried);
  await parts.usage?.flush();
  const paths = await removePaths(parts, options);
  const report = await collectGarbage(contentsOf(parts, options), options);
  // Whatever contents went: a path that goes may share all of them with others.
  await sweepFileIndex(parts.records, options);
  await sweepArrivals(parts.records, options);
  await parts.removeLeftovers?.(parts.records);
  return { ...report, paths };
}

/** What such a collection would find, if nobody used anything any more: looked at, and nothing else. */
export async function findStoreGarbage(
  hurried: StoreCollectionParts,
  options: Omit<CollectStoreOptions, "graceMs">,
): Promise<{ readonly paths: number; readonly contents: ContentCounts }> {
  const parts = unhurried(hurried);
  let paths = 0;
  const retained = await retain(parts.records, parts.openScratch, options, options);
  try {
    for await (const path of thoseThatGo(parts.records, retained, options)) {
      paths++;
      await options.onPath?.(path);
    }
    const isThere: IsThere = async (digest) => (await retained.whyGoes(digest)) === undefined;
    return { paths, contents: await findGarbage(contentsOf(parts, options, isThere), options) };
  } finally {
    await retained.close();
  }
}

/** The contents of a store, as collections of them look at them. */
export function contentsOf(
  parts: StoreCollectionParts,
  options: OperationOptions,
  isThere?: IsThere,
): CollectionParts {
  const { records, openScratch, markAlso } = parts;
  return {
    records,
    openScratch,
    async markRoots(marker) {
      await markStore(records, marker, { ...options, isThere });
      await markAlso?.(marker);
    },
    sweepAlso: (look) => sweepStore(records, look, options),
  };
}

async function* thoseThatGo(
  records: RecordStore,
  retained: RetainedPaths,
  options: OperationOptions,
): AsyncGenerator<PathThatGoes, void, undefined> {
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    const reason = await retained.whyGoes(entry.key());
    if (reason !== undefined) yield { storePath: entry.value().storePath, reason };
  }
}

/** Nothing is looked at where everything is kept. */
async function removePaths(parts: StoreCollectionParts, options: CollectStoreOptions): Promise<number> {
  const { records, openScratch, usage, onPathRemoved } = parts;
  const { unusedMs, maxBytes } = options;
  if (unusedMs === undefined && maxBytes === undefined) return 0;
  const started = Date.now();
  await noteFirstUses(records, started - 1, options);
  const retained = await retain(records, openScratch, options, options);
  let paths = 0;
  try {
    // Whoever was asked for since stays, with all that it refers to.
    for await (const entry of USES.entries(records, undefined, options)) {
      if (entry.value() >= started) await retained.keep(entry.key());
    }
    for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
      const digest = entry.key();
      const reason = await retained.whyGoes(digest);
      if (reason === undefined) continue;
      const lastUse = await USES.find(records, digest);
      if (lastUse === undefined || lastUse >= started) {
        await retained.keep(digest);
        continue;
      }
      const isUnused = { key: USES.keyOf(digest), value: USES.put(digest, lastUse).value };
      const changes = [entry.remove(), USES.remove(digest)];
      if (!(await records.write(changes, [entry.isUnchanged(), isUnused]))) continue;
      usage?.forget(digest);
      await onPathRemoved?.(digest);
      paths++;
      await options.onPath?.({ storePath: entry.value().storePath, reason });
    }
    return paths;
  } finally {
    await retained.close();
  }
}

/** From now on it is known of each path for how long nobody has asked for it. */
async function noteFirstUses(records: RecordStore, now: number, options: OperationOptions): Promise<void> {
  for await (const entry of PATH_INFOS.entries(records, undefined, options)) {
    const digest = entry.key();
    if (!(await USES.has(records, digest)))
      await records.write([USES.put(digest, now)], [USES.isAbsent(digest)]);
  }
}
