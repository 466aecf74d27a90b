import {
  CacheBlobService,
  CombinedBlobService,
  MemoryBlobService,
  observedBlobService,
  readOnlyBlobService,
} from "@tvix/castore";
import { parsePostgresAddress } from "@tvix/castore-postgres/address";
import { parseS3Address } from "@tvix/castore-s3/address";
import { type CommonServices, commonTypes } from "./common-types.ts";
import { optional, required, tableOf, text, wholeNumber } from "./keys.ts";
import { type CacheLayers, cacheAddress, cacheKeys, type OfAddress } from "./layer-keys.ts";
import { noticeOf } from "./near-notice.ts";
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";
import { type SharedStoreAddress, sharedStoreOfExtents } from "./shared-store-address.ts";

interface BlobCache extends CacheLayers<"blob"> {
  readonly chunks_ahead: number | undefined;
}

const COMMON: CommonServices<"blob"> = {
  kind: "blob",
  inMemory: () => new MemoryBlobService(),
  ofDataDirectory: ({ blobService }) => blobService,
  async ofPeer(transport, { namespace = "auto" }) {
    // What speaks gRPC takes long to load.
    const { GrpcBlobService } = await import("@tvix/castore-grpc");
    return new GrpcBlobService(transport, { namespace });
  },
  combined: (near, far) => new CombinedBlobService(near, far),
  readOnly: readOnlyBlobService,
  observed: observedBlobService,
};

/** The types of blob services. */
export function blobTypes(ofAddress: OfAddress): readonly ServiceType<"blob">[] {
  const cache: ServiceTypeDeclaration<"blob", BlobCache> = {
    kind: "blob",
    type: "cache",
    ofTable: tableOf({ ...cacheKeys("blob", ofAddress), chunks_ahead: optional(wholeNumber(1, 1000)) }),
    ofAddress: (_, url) => ({ ...cacheAddress("blob", url, ofAddress), chunks_ahead: undefined }),
    async open({ near, far, writes, chunks_ahead: chunksAhead }, context) {
      const { memory } = context.environment;
      const options = { writes, chunksAhead, memory, onNearFailure: noticeOf("blobs", context) };
      return { service: new CacheBlobService(await context.part(near), await context.part(far), options) };
    },
  };
  const s3: ServiceTypeDeclaration<"blob", SharedStoreAddress> = {
    kind: "blob",
    type: "s3",
    ofTable: tableOf(
      {
        records: required((value) => parsePostgresAddress(text(value))),
        extents: required((value) => parseS3Address(text(value))),
      },
      { url: "extents" },
    ),
    ofAddress: (_, url) => sharedStoreOfExtents(url),
    async open(address, context) {
      return { service: (await context.sharedStore(address)).services.blobService };
    },
  };
  return [...commonTypes(COMMON, ofAddress), serviceType(cache), serviceType(s3)];
}
