import { createRouterTransport } from "@connectrpc/connect";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { addCastoreRoutes, GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore-grpc";

/** A client and a server in one process, with everything in between but the socket. */
function throughRouter(namespace: Namespace) {
  const services = { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
  const transport = createRouterTransport((router) => {
    addCastoreRoutes(router, services);
  });
  return {
    blobService: new GrpcBlobService(transport, { namespace }),
    directoryService: new GrpcDirectoryService(transport, { namespace }),
  };
}

for (const namespace of ["tvix", "snix"] as const) {
  testBlobService(`client of ${namespace}`, async () => throughRouter(namespace));
  testDirectoryService(`client of ${namespace}`, async () => throughRouter(namespace));
}
