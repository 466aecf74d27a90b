import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport } from "@connectrpc/connect";
import {
  createGrpcTransport as createConnectGrpcTransport,
  createConnectTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { runningServer } from "./running-server.ts";

type Connect = (baseUrl: string) => Transport & { close?: () => Promise<void> };

const TRANSPORTS: Record<string, Connect> = {
  "our gRPC": (url) => createGrpcTransport({ url }),
  "Connect's gRPC": (baseUrl) => createConnectGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
};

/** Clients of Node's http2 whose `close` sends END_STREAM first: to a server the request is whole. */
const ENDS_BEFORE_RESET = new Set(["Connect's gRPC", "Connect over HTTP/2"]);

async function overSockets(connect: Connect, namespace: Namespace) {
  const path = await mkdtemp(join(tmpdir(), "server-"));
  const store = await openStore(path, { sync: false });
  const server = await runningServer(store);
  const transport = connect(server.url);
  return {
    blobService: new GrpcBlobService(transport, { namespace }),
    directoryService: new GrpcDirectoryService(transport, { namespace }),
    close: async () => {
      await transport.close?.();
      await server.close();
      await store.close();
      await rm(path, { recursive: true });
    },
  };
}

for (const [name, connect] of Object.entries(TRANSPORTS)) {
  testBlobService(`${name}, tvix`, async () => await overSockets(connect, "tvix"));
  testDirectoryService(`${name}, tvix`, async () => ({
    ...(await overSockets(connect, "tvix")),
    ...(ENDS_BEFORE_RESET.has(name)
      ? { cannotTakeBackPuts: "this client ends a stream before it resets it" }
      : {}),
  }));
}
testBlobService("our gRPC, snix", async () => await overSockets(TRANSPORTS["our gRPC"] as Connect, "snix"));
testDirectoryService(
  "our gRPC, snix",
  async () => await overSockets(TRANSPORTS["our gRPC"] as Connect, "snix"),
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
