import { resolve } from "node:path";
import { openStore } from "@tvix/castore/node";
import { pino } from "pino";
import { binaryCacheServicesOf } from "../binary-cache-services.ts";
import { formatListenAddress, type ListenAddress } from "../listen/listen-address.ts";
import { startServer } from "../server.ts";
import { servicesOf } from "../services.ts";
import { binaryCacheOf } from "./binary-cache.ts";
import type { BinaryCacheOptions } from "./binary-cache-options.ts";
import { limitHeapGrowth } from "./heap-growth.ts";
import { readSigningKey } from "./signing-key.ts";

/** What the command line says of the daemon. */
export interface DaemonOptions extends BinaryCacheOptions {
  readonly listenAddress: ListenAddress;
  readonly data: string;
  readonly sync: boolean;
  readonly compressionLevel: number;
  readonly maxMessageBytes: number;
  readonly corsOrigin?: readonly string[];
  readonly shutdownTimeout: number;
  readonly signingKeyFile?: string;
  readonly logLevel: string;
}

/** Serves a data directory until a signal asks the process to end. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  limitHeapGrowth();
  const log = pino(
    { name: "tvix-store", level: options.logLevel },
    pino.destination({ dest: 2, sync: true }),
  );
  const data = resolve(options.data);
  const { sync, compressionLevel, maxMessageBytes } = options;
  const stopped = waitForSignal();
  await using store = await openStore(data, { sync, compressionLevel });
  const services = servicesOf(store, await readSigningKey(options.signingKeyFile));
  const server = await startServer({
    blobService: services.blobService,
    directoryService: services.directoryService,
    store: services,
    binaryCache: binaryCacheOf(options, binaryCacheServicesOf(store, services), store),
    address: options.listenAddress,
    maxMessageBytes,
    corsOrigins: options.corsOrigin ?? [],
    log,
  });
  log.info({ addresses: server.addresses.map(formatListenAddress), data, sync }, "serving");

  const signal = await stopped;
  log.info({ signal }, "finishing what is under way");
  const clean = await server.close(options.shutdownTimeout * 1000);
  if (!clean) log.warn("calls that had not ended in time were cut off");
  await store.close();
  log.info("stopped");
}

/** Resolves with the first signal that asks the process to end; the second ends it at once. */
async function waitForSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
}
