export type { AnyLevel, DatabaseOptions } from "./level/database.ts";
export { type LevelStore, type LevelStoreOptions, openLevelStore } from "./level/open-level-store.ts";
