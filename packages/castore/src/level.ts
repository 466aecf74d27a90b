export { seal, unseal } from "./level/checksum.ts";
export {
  type AnyLevel,
  Database,
  type DatabaseOptions,
  derivedKeyPrefix,
  keyOf,
  keyPrefix,
  type LevelOperation,
} from "./level/database.ts";
export { type LevelStore, type LevelStoreOptions, openLevelStore } from "./level/open-level-store.ts";
