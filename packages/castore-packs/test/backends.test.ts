import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testBlobService, testDirectoryService, testLifeCycle } from "@tvix/castore/testing";
import { openStore, type StoreOptions } from "@tvix/castore-packs";

async function temporaryStore(options: StoreOptions) {
  const path = await mkdtemp(join(tmpdir(), "castore-"));
  const store = await openStore(path, options);
  const close = async () => {
    await store.close();
    await rm(path, { recursive: true });
  };
  return { ...store, close };
}

testBlobService("packs, with sync", async () => await temporaryStore({ sync: true }));
testBlobService("packs of 1 MiB, without sync", async () =>
  temporaryStore({ sync: false, packBytes: 1 << 20 }),
);
testDirectoryService("LevelDB", async () => await temporaryStore({ sync: true }));

testLifeCycle("packs", async () => {
  const path = await mkdtemp(join(tmpdir(), "castore-"));
  return { open: () => openStore(path), remove: () => rm(path, { recursive: true }) };
});
