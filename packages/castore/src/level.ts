export {
  type AnyLevel,
  Database,
  type DatabaseOptions,
} from "./level/database.ts";
export { type LevelStore, type LevelStoreOptions, openLevelStore } from "./level/open-level-store.ts";
