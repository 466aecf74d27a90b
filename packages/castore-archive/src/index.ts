export { type ArchiveOptions, checkArchivable, type TreeSource } from "./archived-entries.ts";
export { type IngestTarOptions, ingestTar, type TreeDestination } from "./ingest-tar.ts";
export { writeTar } from "./write-tar.ts";
export { writeZip } from "./write-zip.ts";
