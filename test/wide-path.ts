import { Directory, PathComponent } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { servicesOf } from "@tvix/server";

/** Stores a path that is one directory of many empty files, `entry-0` and so on; returns its base name. */
export async function storeWidePath(data: string, entries: number): Promise<string> {
  const store = await openStore(data, { sync: false });
  const services = servicesOf(store);
  const digest = await store.blobService.put(new Uint8Array(0));
  const file = { type: "file", digest, size: 0n, executable: false } as const;
  const directory = Directory.of(
    Array.from({ length: entries }, (_, index) => ({
      name: PathComponent.from(`entry-${index}`),
      node: file,
    })),
  );
  await store.directoryService.putMany([directory]);
  const node = { type: "directory", digest: directory.digest(), size: directory.size("doubled") } as const;
  const storePath = StorePath.from(new Uint8Array(20).fill(7), "wide");
  const nar = await services.narCalculationService.calculateNar(node);
  const nothing = { references: [], signatures: [], deriver: undefined, contentAddress: undefined };
  await services.pathInfoService.put({ storePath, node, ...nar, ...nothing });
  await store.close();
  return storePath.toString();
}
