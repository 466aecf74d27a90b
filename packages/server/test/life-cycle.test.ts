import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testLifeCycle } from "@tvix/castore/testing";
import { openStore } from "@tvix/castore-packs";
import { compositionOf } from "../src/compose/composition.ts";
import { connectPeer } from "../src/compose/connect-peer.ts";
import { openComposition } from "../src/compose/open-composition.ts";
import { entryOfAddress } from "../src/compose/registry.ts";
import { runningServer } from "./running-server.ts";

/** Opens a store of which all three services have one address. */
async function openAt(address: string) {
  const composition = compositionOf({
    blob: entryOfAddress("blob", address),
    directory: entryOfAddress("directory", address),
    "path-info": entryOfAddress("path-info", address),
  });
  return await openComposition(composition, {
    openStore: (path) => openStore(path, { sync: false }),
    connect: (peer) => connectPeer(peer, { maxMessageBytes: 32 << 20, connectTimeoutMs: 5000 }),
  });
}

testLifeCycle("a data directory, by its address", async () => {
  const path = await mkdtemp(join(tmpdir(), "server-"));
  return { open: () => openAt(`level://${path}`), remove: () => rm(path, { recursive: true }) };
});

testLifeCycle("a server, by its address", async () => {
  const server = await runningServer();
  return { open: () => openAt(`grpc+${server.url}`), remove: server.close };
});
