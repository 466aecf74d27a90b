import type { Node } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { openStore, type Store } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { type FolderServices, servicesOf } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import { onTestFinished } from "vitest";

const { directoryNode, directoryOf, pseudoRandomBytes } = fixtures;

/** What {@link fill} stores. */
export const PATH: StorePath = StorePath.from(new Uint8Array(20).fill(3), "looked-at");

/** A file of several chunks in it. */
export const LONG: Uint8Array = pseudoRandomBytes(1_500_000, 5);

/** A store that is open, and its services. */
export interface OpenFolder {
  readonly store: Store;
  readonly services: FolderServices;
}

/** Opens a store with short packs, until the end of the test. */
export async function opened(path: string): Promise<OpenFolder> {
  const store = await openStore(path, { sync: false, packBytes: 1 << 20 });
  onTestFinished(() => store.close());
  return { store, services: servicesOf(store) };
}

/** Stores a path with a short file, a long one and an executable in two folders. */
export async function fill(services: FolderServices): Promise<void> {
  const { blobService, directoryService, pathInfoService } = services;
  const file = async (bytes: Uint8Array, executable = false): Promise<Node> => {
    return { type: "file", digest: await blobService.put(bytes), size: BigInt(bytes.length), executable };
  };
  const inner = directoryOf({ long: await file(LONG), short: await file(Buffer.from("short\n")) });
  const outer = directoryOf({
    inner: directoryNode(inner),
    run: await file(pseudoRandomBytes(5000, 6), true),
  });
  await directoryService.putMany([inner, outer]);
  const node = directoryNode(outer);
  await pathInfoService.put({
    storePath: PATH,
    node,
    references: [PATH],
    ...(await new RenderingNarCalculation(services).calculateNar(node)),
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  });
}
