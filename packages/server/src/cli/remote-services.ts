import { GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore/grpc";
import { createGrpcTransport } from "@tvix/castore/grpc-http2";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import type { Services } from "../services.ts";
import type { ServiceAddresses } from "./service-address.ts";

/** Services of running servers, and the connections that they hold. */
export interface RemoteServices extends AsyncDisposable {
  readonly services: Services;
}

/** The services at these addresses. Connects when they are first used. */
export function openRemoteServices(
  addresses: ServiceAddresses,
  namespace: Namespace | "auto",
): RemoteServices {
  const blobs = createGrpcTransport(addresses.blobServiceAddr);
  const directories = createGrpcTransport(addresses.directoryServiceAddr);
  const pathInfos = createGrpcTransport(addresses.pathInfoServiceAddr);
  const pathInfoService = new GrpcPathInfoService(pathInfos, { namespace });
  return {
    services: {
      blobService: new GrpcBlobService(blobs, { namespace }),
      directoryService: new GrpcDirectoryService(directories, { namespace }),
      pathInfoService,
      narCalculationService: pathInfoService,
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([blobs.close(), directories.close(), pathInfos.close()]);
    },
  };
}
