export {
  type AnyLevel,
  Database,
  type DatabaseOptions,
} from "./database.ts";
export { type LevelStore, type LevelStoreOptions, openLevelStore } from "./open-level-store.ts";
