export {
  type CopiedFile,
  type CopyContents,
  type CopyState,
  type FilePart,
  TAIL_BYTES,
  tailOf,
} from "./backup.ts";
export type { PackEnd } from "./pack-directory.ts";
export { PackExtents, type PackExtentsOptions } from "./pack-extents.ts";
export { openSharedStore, type SharedStoreOptions, type SharedStoreParts } from "./shared-store.ts";
export { openStore } from "./store.ts";
export type { StoreActivity, StoreSize } from "./store-activity.ts";
export type { FolderStore, ServedStoreOptions, Store, StoreFolder, StoreOptions } from "./store-options.ts";
