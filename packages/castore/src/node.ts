export { openStore, type Store, type StoreOptions } from "./pack/store.ts";
