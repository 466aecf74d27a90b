export { openStore, type Store, type StoreOptions } from "./store.ts";
export type { StoreActivity, StoreSize } from "./store-activity.ts";
