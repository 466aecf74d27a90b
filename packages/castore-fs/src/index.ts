export { type IngestOptions, ingest, type TreeProgress, type TreeServices } from "./ingest.ts";
export { makeDirectory } from "./make-directory.ts";
export { type RestoreOptions, restore } from "./restore.ts";
