import { readFileSync } from "node:fs";
import { GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore/grpc";
import { createGrpcTransport, type ServerAddress } from "@tvix/castore/grpc-http2";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import type { Services } from "../services.ts";
import type { ServiceAddresses } from "./service-address.ts";

/** Services of running servers, and the connections that they hold. */
export interface RemoteServices extends AsyncDisposable {
  readonly services: Services;
}

/** Which servers, and how to talk to them. */
export interface RemoteServiceOptions extends ServiceAddresses {
  /** Names under which the servers serve. */
  readonly namespace: Namespace | "auto";
  /** Longest message that is sent or taken, in bytes. */
  readonly maxMessageBytes: number;
  /** In seconds. */
  readonly connectTimeout: number;
  /** In seconds. */
  readonly stallTimeout: number;
  readonly caFile?: string;
  readonly bearerTokenFile?: string;
}

/** The services at these addresses. Connects when they are first used. */
export function openRemoteServices(options: RemoteServiceOptions): RemoteServices {
  const { namespace, maxMessageBytes, serviceAddr } = options;
  const { blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr } = options;
  const ca = options.caFile === undefined ? undefined : readFileSync(options.caFile);
  const token = tokenOf(options);
  const transportTo = (address: ServerAddress = serviceAddr) =>
    createGrpcTransport(address, {
      maxMessageBytes,
      connectTimeoutMs: options.connectTimeout * 1000,
      stallTimeoutMs: options.stallTimeout * 1000,
      token,
      tls: { ca },
    });
  const blobs = transportTo(blobServiceAddr);
  const directories = transportTo(directoryServiceAddr);
  const pathInfos = transportTo(pathInfoServiceAddr);
  const pathInfoService = new GrpcPathInfoService(pathInfos, { namespace });
  return {
    services: {
      blobService: new GrpcBlobService(blobs, { namespace }),
      directoryService: new GrpcDirectoryService(directories, {
        namespace,
        maxDirectoryBytes: maxMessageBytes,
      }),
      pathInfoService,
      narCalculationService: pathInfoService,
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([blobs.close(), directories.close(), pathInfos.close()]);
    },
  };
}

/** The token to show: that in a file, which may change, or that in the environment. */
function tokenOf({ bearerTokenFile }: RemoteServiceOptions): string | (() => string) | undefined {
  if (bearerTokenFile !== undefined) return () => readFileSync(bearerTokenFile, "utf8").trim();
  const { TVIX_STORE_TOKEN: token } = process.env;
  return token === undefined || token === "" ? undefined : token;
}
