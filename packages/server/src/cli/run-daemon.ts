import { resolve } from "node:path";
import { MemoryLedger } from "@tvix/castore";
import type { Logger } from "pino";
import { guarded } from "../guard.ts";
import { formatListenAddress, type ListenAddress } from "../listen/listen-address.ts";
import { ReloadingTls } from "../listen/reloading-tls.ts";
import { ScheduledCollections } from "../maintenance/scheduled-collections.ts";
import { ScheduledScrubs } from "../maintenance/scheduled-scrubs.ts";
import { ServiceCalls } from "../metrics/service-calls.ts";
import { type RunningServer, startServer } from "../server.ts";
import { signing } from "../services.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { accessOf, warnOfAccess } from "./access.ts";
import { binaryCacheOf } from "./binary-cache.ts";
import { openLog, welcome } from "./daemon-log.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { type DaemonStore, openDaemonStore } from "./daemon-store.ts";
import { limitHeapGrowth } from "./heap-growth.ts";
import { notify } from "./notify.ts";
import { ReloadableSettings } from "./reloadable-settings.ts";
import { UsageError } from "./repeatable.ts";
import { waitForSignal } from "./signals.ts";
import { readSigningKeys } from "./signing-key.ts";
import { openTracing } from "./tracing.ts";
import { binaryCachesOf } from "./upstream-option.ts";
import { type UpstreamPathInfos, withUpstreams } from "./upstream-path-infos.ts";
import { withoutPassword } from "./without-password.ts";

/** Where it listens unless told otherwise. */
const DEFAULT_ADDRESS: ListenAddress = { type: "tcp", host: "localhost", port: 8000 };

/** Time that a line of the log has to get out before the process is ended, in milliseconds. */
const LOGGING_MS = 100;

/** Time that a process has to end by itself when all is stored, in milliseconds. */
const LINGERING_MS = 1000;

/**
 * Serves a data directory until a signal asks the process to end. SIGHUP has it take up what has changed
 * in its settings, as far as that can be while it runs.
 *
 * @param reread what the command line, the environment and the file of settings say now
 */
export async function runDaemon(options: DaemonOptions, reread: () => DaemonOptions): Promise<void> {
  limitHeapGrowth();
  const stopped = waitForSignal();
  const log = await openLog(options.logLevel);
  // Before it serves there is nothing to reload; without this the signal would end it.
  let reloading: ReloadableSettings | undefined;
  process.on("SIGHUP", () => reloading?.reload(reread));
  const starting = start(options, log);
  // Whoever asks for the end while it starts does not wait for that: what is stored is safe.
  const early = await Promise.race([stopped, starting.then(() => undefined)]);
  if (early !== undefined) {
    log.info({ signal: early }, "ended before it had started");
    // What is logged is written a moment later.
    setTimeout(() => process.exit(0), LOGGING_MS);
    return;
  }
  const { store, upstreams, server, tracing, collections, scrubs } = await starting;
  reloading = new ReloadableSettings({ ...options }, server, log);
  void notify(log, "READY=1");

  const signal = await Promise.race([stopped, server.streamsClosed.then(() => "the end of the streams")]);
  void notify(log, "STOPPING=1");
  log.info({ signal }, "finishing what is under way");
  const clean = await server.close(options.shutdownTimeout * 1000);
  if (!clean) log.warn("calls that had not ended in time were cut off");
  await collections?.close();
  await scrubs?.close();
  await upstreams.close();
  await Promise.all([store.close(), tracing?.end()]);
  log.info("stopped");
  // Nothing is left to be done: a timer or thread of somebody else keeps the process no longer.
  setTimeout(() => process.exit(), LINGERING_MS).unref();
}

/** What runs. */
interface Started {
  readonly store: DaemonStore;
  readonly upstreams: UpstreamPathInfos;
  readonly server: RunningServer;
  readonly tracing: Tracing | undefined;
  readonly collections: ScheduledCollections | undefined;
  readonly scrubs: ScheduledScrubs | undefined;
}

async function start(options: DaemonOptions, log: Logger): Promise<Started> {
  const { sync, maxMessageBytes } = options;
  const memory = new MemoryLedger(options.memory * 2 ** 20);
  const tracing = await openTracing(log);
  const upstreamHeaders = tracing && (() => tracing.headers());
  const serviceCalls = new ServiceCalls();
  const observerOf = serviceCalls.observerOf.bind(serviceCalls);
  const store = await openDaemonStore(options, { memory, log, upstreamHeaders, observerOf });
  let upstreams: UpstreamPathInfos | undefined;
  try {
    const signingKeys = await readSigningKeys(options.signingKeyFile ?? []);
    const stored = {
      ...store.services,
      pathInfoService: signing(store.services.pathInfoService, signingKeys),
    };
    const services = guarded(stored, {
      writable: options.uploads,
      unsigned: options.unsignedUploads,
      trustedKeys: options.trustedPublicKey,
      checkReferences: options.checkReferences,
    });
    upstreams = withUpstreams(binaryCachesOf(options.upstream), options, {
      stored,
      guarded: services,
      memory,
      log,
      headers: upstreamHeaders,
    });
    const address = (options.listenAddress ?? [DEFAULT_ADDRESS]).map((one) => withPermissions(one, options));
    const tls = tlsOf(options, log);
    const access = accessOf(options, log);
    const server = await startServer({
      blobService: services.blobService,
      directoryService: services.directoryService,
      store: { ...services, pathInfoService: upstreams.pathInfoService },
      maintenance: store.maintenance,
      keptPaths: store.keptPaths,
      storedBlobs: store.storedBlobs,
      binaryCache: binaryCacheOf(options, { store, stored, services, signingKeys, memory, tracing }),
      address,
      access,
      metrics: true,
      storeFigures: store.stores[0],
      serviceCalls,
      observers: tracing === undefined ? [] : [tracing],
      memory,
      stallMs: options.stallTimeout * 1000,
      requestMs: options.requestTimeout * 1000,
      maxConnections: options.maxConnections,
      maxConnectionsPerAddress: options.maxConnectionsPerAddress,
      maxRequests: options.maxRequests,
      maxUploadsPerPrincipal: options.maxUploadsPerPrincipal,
      maxDailyUploadPerPrincipal:
        options.maxDailyUploadPerPrincipal && options.maxDailyUploadPerPrincipal * 2 ** 20,
      logRequests: options.logRequests === true,
      tls,
      maxMessageBytes,
      corsOrigins: options.corsOrigin ?? [],
      ignoreActivationPid: options.sdAcceptIgnoreEnvironment,
      check: () => store.check(),
      log,
    });
    warnOfAccess(options, access, server.addresses, log);
    const addresses = server.addresses.map(formatListenAddress);
    const data = placesOf(options);
    const collections = await collectionsOf(options, store, log);
    // Nothing is waited for after this: whoever reads it and ends the daemon has it end what is under way.
    if (process.stderr.isTTY) process.stderr.write(welcome(server.addresses, data, tls !== undefined));
    else log.info({ addresses, data, sync }, "serving");
    return { store, upstreams, server, tracing, collections, scrubs: scrubsOf(options, store, log) };
  } catch (error) {
    await upstreams?.close();
    await store.close();
    throw error;
  }
}

/** One that was interrupted is taken up: until then those who store pay for it. */
async function collectionsOf(
  { gcInterval: intervalMs }: DaemonOptions,
  { maintenance }: DaemonStore,
  log: Logger,
): Promise<ScheduledCollections | undefined> {
  if (maintenance === undefined && intervalMs !== undefined) {
    throw new UsageError("--gc-interval is for a store that lies in one data directory as a whole");
  }
  const isUnfinished = (await maintenance?.isUnfinished?.()) ?? false;
  if (maintenance === undefined || (intervalMs === undefined && !isUnfinished)) return undefined;
  return new ScheduledCollections(maintenance, { intervalMs, isUnfinished }, log);
}

/** A store that is looked through by itself, where that is asked for. */
function scrubsOf(
  { scrubRate, scrubPeriod: periodMs }: DaemonOptions,
  { maintenance, records }: DaemonStore,
  log: Logger,
): ScheduledScrubs | undefined {
  if (scrubRate === undefined) return undefined;
  if (maintenance === undefined) {
    throw new UsageError("--scrub-rate is for a store that lies in one data directory as a whole");
  }
  return new ScheduledScrubs(maintenance, records, { periodMs, bytesPerSecond: scrubRate * 2 ** 20 }, log);
}

/** Where the data is, for people. */
function placesOf(options: DaemonOptions): string {
  const file = options.storeComposition ?? options.experimentalStoreComposition;
  if (file !== undefined) return `what ${file} says`;
  const addresses = [options.blobServiceAddr, options.directoryServiceAddr, options.pathInfoServiceAddr];
  const elsewhere = new Set(addresses.filter((address) => address !== undefined).map(withoutPassword));
  const { records, extents } = options;
  const shared = [records, extents].filter((address) => address !== undefined).map(withoutPassword);
  const here = addresses.includes(undefined) ? (shared.length > 0 ? shared : [resolve(options.data)]) : [];
  return [...here, ...elsewhere].join(", ");
}

/** A Unix socket with the owner and the permissions that the command line gives it. */
function withPermissions(address: ListenAddress, options: DaemonOptions): ListenAddress {
  if (address.type !== "unix") return address;
  const { unixListenChmod: mode, unixListenUid: uid, unixListenGid: gid } = options;
  return { ...address, mode, uid, gid };
}

function tlsOf(options: DaemonOptions, log: Logger): ReloadingTls | undefined {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsClientCaFile: clientCaFile } = options;
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError("TLS needs both --tls-cert-file and --tls-key-file");
  }
  const onFailure = (error: unknown) => log.error({ err: error }, "the changed certificate cannot be used");
  return new ReloadingTls({ certFile, keyFile, clientCaFile }, onFailure);
}
