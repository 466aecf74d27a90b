import type { ListenAddress } from "../listen/listen-address.ts";
import type { AccessCommandOptions } from "./access.ts";
import type { BinaryCacheOptions } from "./binary-cache-options.ts";
import type { CompositionOptions } from "./composition-file.ts";
import type { DaemonGcOptions } from "./gc-options.ts";
import type { ServiceAddresses } from "./service-address.ts";

/** What the command line says of the daemon. */
export interface DaemonOptions
  extends BinaryCacheOptions,
    AccessCommandOptions,
    ServiceAddresses,
    CompositionOptions,
    DaemonGcOptions {
  readonly listenAddress?: readonly ListenAddress[];
  readonly data: string;
  /** Whether somebody has said where the data directory is. */
  readonly dataIsGiven?: boolean;
  /** Address of the records of a store that several servers share. */
  readonly records?: string;
  /** Address of its extents. */
  readonly extents?: string;
  /** In MiB. */
  readonly nearMaxSize?: number;
  readonly sync: boolean;
  readonly compressionLevel: number;
  readonly maxMessageBytes: number;
  readonly corsOrigin?: readonly string[];
  readonly shutdownTimeout: number;
  readonly signingKeyFile?: readonly string[];
  readonly logLevel: string;
  readonly logRequests?: boolean;
  /** In MiB. */
  readonly maxDiskUse?: number;
  readonly fileIndex?: boolean;
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
  readonly maxRequests?: number;
  readonly maxUploadsPerPrincipal?: number;
  /** In MiB. */
  readonly maxDailyUploadPerPrincipal?: number;
  /** In seconds. */
  readonly requestTimeout: number;
  /** In MiB. */
  readonly memory: number;
  readonly unixListenChmod?: number;
  readonly unixListenUid?: number;
  readonly unixListenGid?: number;
  readonly sdAcceptIgnoreEnvironment?: boolean;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly tlsClientCaFile?: string;
}
