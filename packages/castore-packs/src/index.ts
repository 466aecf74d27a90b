export { type CopiedFile, type CopyContents, type FilePart, TAIL_BYTES, tailOf } from "./backup.ts";
export type { PackEnd } from "./pack-directory.ts";
export { PackExtents, type PackExtentsOptions } from "./pack-extents.ts";
export { openStore, type Store, type StoreOptions } from "./store.ts";
export type { StoreActivity, StoreSize } from "./store-activity.ts";
