import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectTransport } from "@connectrpc/connect-node";
import { testBlobService } from "@tvix/castore/testing";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { testOverSockets } from "./over-sockets.ts";
import { runningServer } from "./running-server.ts";

// The other clients: conformance.long.test.ts.
testOverSockets("our gRPC", (url) => createGrpcTransport({ url }));
testOverSockets("Connect over HTTP/1.1", (baseUrl) =>
  createConnectTransport({ baseUrl, httpVersion: "1.1" }),
);

testBlobService("a Unix socket", async () => {
  const path = await mkdtemp(join(tmpdir(), "server-"));
  const socketPath = join(path, "socket");
  const server = await runningServer({ address: { type: "unix", path: socketPath } });
  const transport = createGrpcTransport({ socketPath });
  return {
    blobService: new GrpcBlobService(transport),
    close: async () => {
      await transport.close();
      await server.close();
      await rm(path, { recursive: true });
    },
  };
});
