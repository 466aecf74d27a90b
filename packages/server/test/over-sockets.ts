import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport } from "@connectrpc/connect";
import { testBlobService, testDirectoryService } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService, type Namespace } from "@tvix/castore-grpc";
import { openStore } from "@tvix/castore-packs";
import { runningServer } from "./running-server.ts";

/** Makes what carries calls to a server. */
export type Connect = (baseUrl: string) => Transport & { close?: () => Promise<void> };

/** What is told apart of a transport. */
interface TransportTraits {
  readonly namespace?: Namespace;
  /** Of clients of Node's http2 whose `close` sends END_STREAM first: to a server the request is whole. */
  readonly endsBeforeReset?: boolean;
}

/** Runs the suites of blobs and directories through a server. */
export function testOverSockets(name: string, connect: Connect, traits: TransportTraits = {}): void {
  const { namespace = "tvix", endsBeforeReset = false } = traits;
  testBlobService(`${name}, ${namespace}`, () => overSockets(connect, namespace));
  testDirectoryService(`${name}, ${namespace}`, async () => ({
    ...(await overSockets(connect, namespace)),
    ...(endsBeforeReset ? { cannotTakeBackPuts: "this client ends a stream before it resets it" } : {}),
  }));
}

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
