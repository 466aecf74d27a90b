import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordStore } from "@tvix/castore";
import { openSharedStore, type ServedStoreOptions, type Store } from "@tvix/castore-packs";
import type { S3Address } from "@tvix/castore-s3/address";
import type { SharedStoreAddress } from "../compose/shared-store-address.ts";

/** How this process uses a store that others use as well. */
export interface SharedStoreUse extends ServedStoreOptions {
  /** A folder in which something is kept nearby. Default: nothing is. */
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
  const opened: (() => Promise<void>)[] = [() => records.close()];
  try {
    // One of its own for each process: two may have one data directory while they take turns.
    const scratchFolder = await mkdtemp(join(tmpdir(), "tvix-store-"));
    opened.unshift(() => rm(scratchFolder, { recursive: true, force: true }));
    const near = extents && folder !== undefined && nearBytes > 0 ? { folder, nearBytes } : undefined;
    const objects = extents && (await openExtents(extents, records, near));
    if (objects !== undefined) opened.unshift(() => objects.close());
    const parts = {
      records,
      extents: objects,
      measureRecords: () => records.size(),
      checkRecords: () => records.check(),
    };
    return removing(await openSharedStore(parts, { ...options, scratchFolder }), scratchFolder);
  } catch (error) {
    for (const close of opened) await close().catch(() => {});
    throw error;
  }
}

async function openExtents(
  address: S3Address,
  records: RecordStore,
  nearby: { readonly folder: string; readonly nearBytes: number } | undefined,
) {
  const { NearBlocks, S3Extents } = await import("@tvix/castore-s3");
  const near = nearby && (await NearBlocks.open(join(nearby.folder, "near"), nearby.nearBytes));
  return await S3Extents.open(address, { records, near });
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
