import { type B3Digest, CastoreError, type Node, type OperationOptions } from "@tvix/castore";
import { readCollection } from "@tvix/castore/backend";
import type { FilePart, Store, StoreFolder } from "@tvix/castore-packs";
import {
  compareNars,
  contentsOfSideFiles,
  markSideFiles,
  NAR_BRIDGE_TABLES,
  removeOrphanedExtras,
} from "@tvix/nar-bridge";
import { StorePath } from "@tvix/nix-compat";
import { renderNar } from "@tvix/store";
import {
  collectStore,
  findStoreGarbage,
  forgetPath,
  type PathThatGoes,
  Pins,
  type Retention,
  type StoreCollectionParts,
} from "@tvix/store/collect";
import { repairStore } from "@tvix/store/repair";
import { measureStore, samplePaths } from "@tvix/store/stats";
import { type StoreVerificationParts, verifyStore } from "@tvix/store/verify";
import type { FolderServices } from "../services.ts";
import type {
  CollectionRequest,
  CollectionResult,
  ForgetResult,
  Maintenance,
  NamedPin,
  PinnedObject,
  RepairRequest,
  RepairResult,
  StatsRequest,
  StatsResult,
  VerificationRequest,
  VerificationResult,
} from "./maintenance.ts";
import type { OpenRepairSources } from "./repair-sources.ts";

/** How a store is collected where a request says nothing else. */
export interface CollectionDefaults extends Retention {
  /** Time between the two looks, in milliseconds. */
  readonly graceMs: number;
}

/** A day: few uploads take longer. */
export const DEFAULT_GRACE_MS = 86_400_000;

/** How a store is looked after. */
export interface LocalMaintenanceOptions {
  readonly collection: CollectionDefaults;
  /** Who is asked for what the store has lost. Default: nobody. */
  readonly openRepairSources?: (() => Promise<OpenRepairSources>) | undefined;
  /** Told of those that could not be asked. */
  readonly onSourceFailure?: ((error: unknown) => void) | undefined;
}

const NO_SOURCES: OpenRepairSources = { sources: [], async [Symbol.asyncDispose]() {} };

/** Maintenance of a data directory in which all of a store lies. */
export class LocalMaintenance implements Maintenance {
  readonly #store: Store & Partial<StoreFolder>;
  readonly #services: FolderServices;
  readonly #defaults: CollectionDefaults;
  readonly #pins: Pins;
  readonly #openSources: () => Promise<OpenRepairSources>;
  readonly #onFailure: ((error: unknown) => void) | undefined;

  constructor(
    store: Store & Partial<StoreFolder>,
    services: FolderServices,
    options: LocalMaintenanceOptions,
  ) {
    this.#store = store;
    this.#services = services;
    this.#defaults = options.collection;
    this.#pins = new Pins(store.database);
    this.#openSources = options.openRepairSources ?? (async () => NO_SOURCES);
    this.#onFailure = options.onSourceFailure;
  }

  async collect(request: CollectionRequest = {}): Promise<CollectionResult> {
    const { dryRun = false, onPath = () => {}, signal } = request;
    const options = {
      unusedMs: request.unusedMs ?? this.#defaults.unusedMs,
      maxBytes: request.maxBytes ?? this.#defaults.maxBytes,
      graceMs: request.graceMs ?? this.#defaults.graceMs,
      onPath: ({ storePath, reason }: PathThatGoes) => onPath({ storePath: storePath.toAbsolute(), reason }),
      ...(signal === undefined ? {} : { signal }),
    };
    if (dryRun) {
      const { paths, contents } = await findStoreGarbage(this.#parts(), options);
      return { paths, removed: undefined, condemned: contents, due: undefined, freedBytes: 0, damaged: 0 };
    }
    const report = await collectStore(this.#parts(), options);
    const { freedBytes, damaged } =
      report.removed === undefined ? NOTHING : await this.#store.compact({ ...operationOf(signal) });
    return { ...report, freedBytes, damaged };
  }

  async isUnfinished(): Promise<boolean> {
    const { phase } = await readCollection(this.#store.database);
    return phase === "condemning" || phase === "sweeping";
  }

  async forget(
    storePath: StorePath,
    options: OperationOptions & { readonly withReferrers?: boolean } = {},
  ): Promise<ForgetResult> {
    const forgotten = await forgetPath(this.#parts(), storePath, options);
    if (forgotten === undefined) return { storePaths: [], removed: undefined, ...NOTHING };
    const { paths, removed } = forgotten;
    // Their bytes are not to lie in any file.
    const { freedBytes, damaged } = await this.#store.compact({ extents: removed.extents });
    return { storePaths: paths.map((path) => path.toAbsolute()), removed, freedBytes, damaged };
  }

  async verify({ onFault, ...options }: VerificationRequest = {}): Promise<VerificationResult> {
    const counts = { chunks: 0, blobs: 0, directories: 0, paths: 0, bytesRead: 0 };
    let faults = 0;
    for await (const fault of verifyStore(this.#verificationParts(), counts, options)) {
      faults++;
      await onFault?.(fault);
    }
    return { ...counts, faults };
  }

  async repair({ onStep, ...options }: RepairRequest = {}): Promise<RepairResult> {
    const counts = { chunks: 0, blobs: 0, directories: 0, paths: 0, bytesRead: 0 };
    const steps = { mended: 0, quarantined: 0, released: 0, removed: 0, lost: 0 };
    await using opened = await this.#openSources();
    const { blobService, directoryService, pathInfoService } = this.#services;
    const parts = {
      ...this.#verificationParts(),
      blobService,
      directoryService,
      pathInfoService,
      renewJournal: this.#store.renewJournal,
      forgetDamagedChunk: this.#store.forgetDamagedChunk,
      findLostChunks: () => this.#store.findLostChunks(operationOf(options.signal)),
      onPathChanged: async (digest: Uint8Array) => await pathInfoService.forget?.(digest),
      ...(this.#onFailure === undefined ? {} : { onFailure: this.#onFailure }),
    };
    for await (const step of repairStore(parts, opened.sources, counts, options)) {
      steps[step.action]++;
      await onStep?.(step);
    }
    return { ...counts, steps };
  }

  backup(...[copy, onContents, options]: Parameters<Maintenance["backup"]>): AsyncIterable<FilePart> {
    if (this.#store.backup !== undefined) return this.#store.backup(copy, onContents, options);
    throw new CastoreError(
      "READ_ONLY",
      "only a data directory is copied like this: the database and the bucket of a shared store have means of their own",
    );
  }

  async stats({ comparedPaths = 0, signal }: StatsRequest = {}): Promise<StatsResult> {
    const { database } = this.#store;
    const options = operationOf(signal);
    const stats = await measureStore(database, options);
    const sample = comparedPaths === 0 ? [] : await samplePaths(database, comparedPaths, options);
    const nars = sample.map(
      ({ node }) =>
        () =>
          renderNar(node, this.#services, options),
    );
    const comparison = nars.length === 0 ? undefined : await compareNars(nars);
    return { ...stats, files: await this.#store.size(), comparison };
  }

  async setPin({ name, object }: NamedPin): Promise<void> {
    if (object instanceof StorePath) await this.#pins.set(name, { type: "path", storePath: object });
    else await this.#pins.set(name, { type: "node", node: await this.#nodeOf(object) });
  }

  removePin(name: string): Promise<boolean> {
    return this.#pins.remove(name);
  }

  async *pins(options: OperationOptions = {}): AsyncGenerator<NamedPin, void, undefined> {
    for await (const { name, target } of this.#pins.list(options)) {
      if (target.type === "path") yield { name, object: target.storePath };
      else if (target.node.type !== "symlink") {
        const { type, digest } = target.node;
        yield { name, object: { type, digest } };
      }
    }
  }

  async #nodeOf({ type, digest }: Exclude<PinnedObject, StorePath>): Promise<Node> {
    if (type === "directory") {
      const directory = await this.#services.directoryService.get(digest);
      if (directory === undefined) throw missing(type, digest);
      return { type, digest, size: directory.size() };
    }
    if (!(await this.#services.blobService.has(digest))) throw missing("blob", digest);
    return { type, digest, size: 0n, executable: false };
  }

  #verificationParts(): StoreVerificationParts {
    return {
      records: this.#store.database,
      inspectChunk: this.#store.inspectChunk,
      openScratch: () => this.#store.openScratch(),
      checkJournal: this.#store.checkJournal,
      tables: NAR_BRIDGE_TABLES.filter(({ derived }) => !derived),
      rootsAlso: () => contentsOfSideFiles(this.#store.database),
    };
  }

  #parts(): StoreCollectionParts {
    const { database } = this.#store;
    const { usage, pathInfoService } = this.#services;
    return {
      records: database,
      openScratch: () => this.#store.openScratch(),
      usage,
      onPathRemoved: async (digest) => await pathInfoService.forget?.(digest),
      markAlso: (marker) => markSideFiles(database, marker),
      removeLeftovers: removeOrphanedExtras,
    };
  }
}

const NOTHING = { freedBytes: 0, damaged: 0 };

function operationOf(signal: AbortSignal | undefined): OperationOptions {
  return signal === undefined ? {} : { signal };
}

function missing(what: string, digest: B3Digest): CastoreError {
  return new CastoreError("INCOMPLETE", `${what} ${digest} is not in the store`, {
    subject: digest.toString(),
  });
}
