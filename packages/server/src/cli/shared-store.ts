import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSharedStore, type ServedStoreOptions, type Store } from "@tvix/castore-packs";
import type { SharedStoreAddress } from "../compose/shared-store-address.ts";

/** How this process uses a store that others use as well. */
export interface SharedStoreUse extends ServedStoreOptions {
  /** A folder of this process: what is kept nearby, and what a collection looks through. Default: a temporary one, and nothing is kept. */
  readonly folder?: string | undefined;
  /** What is kept nearby, in bytes at the most. */
  readonly nearBytes?: number | undefined;
  /** Whether tables are made where there are none. */
  readonly create: boolean;
}

/** What is kept nearby where nothing else is said, in bytes. */
export const DEFAULT_NEAR_BYTES: number = 10 * 2 ** 30;

/** Opens a store that several servers share. What it takes to talk to its engines is loaded when it is needed. */
export async function openShared(
  { records: address, extents }: SharedStoreAddress,
  { folder, nearBytes = DEFAULT_NEAR_BYTES, create, ...options }: SharedStoreUse,
): Promise<Store> {
  const { PostgresRecordStore } = await import("@tvix/castore-postgres");
  const records = await PostgresRecordStore.open(address, { create });
  try {
    const own = folder ?? (await mkdtemp(join(tmpdir(), "tvix-store-")));
    const parts = {
      records,
      extents: extents && (await openExtents()),
      measureRecords: () => records.size(),
      checkRecords: () => records.check(),
    };
    const store = await openSharedStore(parts, { ...options, scratchFolder: join(own, "scratch") });
    return folder === undefined ? removing(store, own) : store;
  } catch (error) {
    await records.close();
    throw error;
  }

  async function openExtents() {
    const { NearBlocks, S3Extents } = await import("@tvix/castore-s3");
    const near =
      folder === undefined || nearBytes === 0
        ? undefined
        : await NearBlocks.open(join(folder, "near"), nearBytes);
    return await S3Extents.open(extents as NonNullable<typeof extents>, { records, near });
  }
}

/** The same store, with which a folder goes. */
function removing(store: Store, folder: string): Store {
  const close = async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  return Object.create(store, {
    close: { value: close },
    [Symbol.asyncDispose]: { value: close },
  }) as Store;
}
