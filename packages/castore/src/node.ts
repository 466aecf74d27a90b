export { type IngestOptions, ingest, type TreeProgress, type TreeServices } from "./fs/ingest.ts";
export { makeDirectory } from "./fs/make-directory.ts";
export { type RestoreOptions, restore } from "./fs/restore.ts";
export { DEFAULT_MAX_MESSAGE_BYTES } from "./grpc/message-limit.ts";
export { openStore, type Store, type StoreOptions } from "./pack/store.ts";
export type { StoreActivity, StoreSize } from "./pack/store-activity.ts";
