import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport } from "@connectrpc/connect";
import {
  createGrpcTransport as createConnectGrpcTransport,
  createConnectTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { Namespace } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import type { SecretKey } from "@tvix/narinfo";
import { servicesOf } from "@tvix/server";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import { testPathInfoService } from "@tvix/store/testing";
import { runningServer } from "./running-server.ts";

/** Makes what carries calls to a server. */
export type Connect = (baseUrl: string) => Transport & { close?: () => Promise<void> };

/** Clients of every kind, by their names. */
export const TRANSPORTS = {
  "our gRPC": (url: string) => createGrpcTransport({ url }),
  "Connect's gRPC": (baseUrl: string) => createConnectGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/1.1, in JSON": (baseUrl: string) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
} satisfies Record<string, Connect>;

/** A server over a store in a folder of its own. */
export async function serverOverStore(...signingKeys: SecretKey[]) {
  const path = await mkdtemp(join(tmpdir(), "server-"));
  const store = await openStore(path, { sync: false });
  const services = servicesOf(store, signingKeys);
  const server = await runningServer({ ...services, store: services });
  return {
    ...services,
    url: server.url,
    close: async () => {
      await server.close();
      await store.close();
      await rm(path, { recursive: true });
    },
  };
}

async function overSockets(connect: Connect, namespace: Namespace) {
  const server = await serverOverStore();
  const transport = connect(server.url);
  return {
    pathInfoService: new GrpcPathInfoService(transport, { namespace }),
    close: async () => {
      await transport.close?.();
      await server.close();
    },
  };
}

/** Runs the suite of path infos through a server. */
export function testOverSockets(name: keyof typeof TRANSPORTS, namespace: Namespace): void {
  testPathInfoService(`${name}, ${namespace}`, () => overSockets(TRANSPORTS[name], namespace));
}
