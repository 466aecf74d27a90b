export type { PackEnd } from "./pack-directory.ts";
export { PackExtents, type PackExtentsOptions } from "./pack-extents.ts";
export { openStore, type Store, type StoreOptions } from "./store.ts";
export type { StoreActivity, StoreSize } from "./store-activity.ts";
