export type { ArchiveOptions, TreeSource } from "./archived-entries.ts";
export { checkArchivable } from "./check-archivable.ts";
export { type IngestTarOptions, ingestTar, type TreeDestination } from "./ingest-tar.ts";
export { writeTar } from "./write-tar.ts";
export { writeZip } from "./zip/write-zip.ts";
