export { dumpPath, readTree } from "./fs/dump.ts";
export { type RestorePathOptions, restorePath } from "./fs/restore.ts";
