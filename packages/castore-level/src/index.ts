export type { AnyLevel, Views } from "./any-level.ts";
export {
  Database,
  type DatabaseOptions,
} from "./database.ts";
export { databaseFailure } from "./database-failure.ts";
export { type LevelStore, type LevelStoreOptions, openLevelStore } from "./open-level-store.ts";
export type { WriteAheadLog } from "./write-ahead-log.ts";
