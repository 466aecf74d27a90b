import {
  CacheDirectoryService,
  CombinedDirectoryService,
  MemoryDirectoryService,
  observedDirectoryService,
  readOnlyDirectoryService,
} from "@tvix/castore";
import { type CommonServices, commonTypes } from "./common-types.ts";
import { tableOf } from "./keys.ts";
import { type CacheLayers, cacheAddress, cacheKeys, type OfAddress } from "./layer-keys.ts";
import { noticeOf } from "./near-notice.ts";
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";

const COMMON: CommonServices<"directory"> = {
  kind: "directory",
  inMemory: () => new MemoryDirectoryService(),
  ofDataDirectory: ({ directoryService }) => directoryService,
  async ofPeer(transport, { namespace = "auto", maxDirectoryBytes }) {
    const { GrpcDirectoryService } = await import("@tvix/castore-grpc");
    const limit = maxDirectoryBytes === undefined ? {} : { maxDirectoryBytes };
    return new GrpcDirectoryService(transport, { namespace, ...limit });
  },
  combined: (near, far) => new CombinedDirectoryService(near, far),
  readOnly: readOnlyDirectoryService,
  observed: observedDirectoryService,
};

/** The types of directory services. */
export function directoryTypes(ofAddress: OfAddress): readonly ServiceType<"directory">[] {
  const cache: ServiceTypeDeclaration<"directory", CacheLayers<"directory">> = {
    kind: "directory",
    type: "cache",
    ofTable: tableOf(cacheKeys("directory", ofAddress)),
    ofAddress: (_, url) => cacheAddress("directory", url, ofAddress),
    async open({ near, far, writes }, context) {
      const { memory } = context.environment;
      const options = { writes, memory, onNearFailure: noticeOf("directories", context) };
      return {
        service: new CacheDirectoryService(await context.part(near), await context.part(far), options),
      };
    },
  };
  return [...commonTypes(COMMON, ofAddress), serviceType(cache)];
}
