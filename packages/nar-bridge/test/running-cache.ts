import type { AddressInfo } from "node:net";
import { openStore, type Store } from "@tvix/castore-packs";
import {
  type NarBridgeOptions,
  narBridge,
  narBridgeRecords,
  type PendingNarInfos,
  parseUpstream,
  RecordOffers,
  RecordPendingNarInfos,
} from "@tvix/nar-bridge";
import type { SecretKey } from "@tvix/narinfo";
import {
  MeasuringNarLengths,
  type PathInfoService,
  RenderingNarCalculation,
  SigningPathInfoService,
  type TrustServices,
} from "@tvix/store";
import {
  RecordNarCalculation,
  RecordNarIndex,
  RecordNarLengths,
  RecordNarPlans,
  RecordPathInfoService,
} from "@tvix/store/records";
import { fastify } from "fastify";
import { onTestFinished } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** A binary cache that listens. */
export interface RunningCache {
  /** Without a slash at its end. */
  readonly url: string;
  readonly store: Store;
  readonly pathInfoService: PathInfoService;
  readonly narIndex: RecordNarIndex;
  readonly offers: RecordOffers;
  readonly pendingNarInfos: PendingNarInfos;
  /** Where its data is. */
  readonly data: string;
  /** Clients that are connected. */
  openConnections(): Promise<number>;
  close(): Promise<void>;
}

/** What a test wants to be different, and upstreams by their address. */
export interface CacheOptions extends Partial<NarBridgeOptions> {
  readonly upstreams?: readonly string[];
  /** Of the upstreams' offers, and of the path info service. */
  readonly signingKeys?: readonly SecretKey[];
  readonly data?: string;
  /** Most bytes of narinfos that wait for their NARs. */
  readonly maxPendingBytes?: number;
  /** Puts what it guards around the path info service. */
  readonly guard?: (service: PathInfoService, services: TrustServices) => PathInfoService;
  /** zstd level of new chunks. */
  readonly compressionLevel?: number;
}

/** Starts a cache on a free port, and ends it with the test. */
export async function startCache(options: CacheOptions = {}): Promise<RunningCache> {
  const {
    upstreams,
    signingKeys = [],
    data = await temporaryDirectory(),
    compressionLevel = 3,
    guard = (service) => service,
    ...rest
  } = options;
  const store = await openStore(data, { sync: false, compressionLevel });
  const { blobService, directoryService, storedBlobs, database } = store;
  const signing = new SigningPathInfoService(new RecordPathInfoService(database), signingKeys);
  const narCalculationService = new RecordNarCalculation(
    database,
    new RenderingNarCalculation({ blobService, directoryService }),
  );
  const pathInfoService = guard(signing, { blobService, directoryService, narCalculationService });
  const narIndex = new RecordNarIndex(database);
  const offers = new RecordOffers(database);
  const { maxPendingBytes: maxBytes, ...bridgeOptions } = rest;
  const pendingNarInfos = new RecordPendingNarInfos(database, maxBytes === undefined ? {} : { maxBytes });
  const narPlans = new RecordNarPlans(database, storedBlobs);
  const measuring = new MeasuringNarLengths({ directoryService, storedBlobs, narPlans });
  const app = fastify();
  await app.register(narBridge, {
    blobService,
    directoryService,
    storedBlobs,
    pathInfoService,
    narCalculationService,
    narIndex,
    narPlans,
    narLengths: new RecordNarLengths(database, measuring),
    ...narBridgeRecords(database),
    pendingNarInfos,
    ...(upstreams === undefined
      ? {}
      : { pullThrough: { upstreams: upstreams.map(parseUpstream), offers, signingKeys } }),
    ...bridgeOptions,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  let closing: Promise<void> | undefined;
  const close = async () => {
    app.server.closeAllConnections();
    await app.close();
    await store.close();
  };
  const closeOnce = () => {
    closing ??= close();
    return closing;
  };
  onTestFinished(closeOnce);
  const { port } = app.server.address() as AddressInfo;
  const openConnections = () =>
    new Promise<number>((resolve, reject) => {
      app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    store,
    pathInfoService,
    narIndex,
    offers,
    pendingNarInfos,
    data,
    openConnections,
    close: closeOnce,
  };
}
