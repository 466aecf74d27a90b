export { clip, toByteRange } from "./blob/byte-range.ts";
export { asItIs, type ChunkCodec, type FreshlyEncoded } from "./blob/chunk-codec.ts";
export { ChunkedStoredBlobs } from "./blob/chunked-stored-blobs.ts";
export { GroupCommit } from "./blob/group-commit.ts";
export { placeChunks } from "./blob/place-chunks.ts";
export { READ_AHEAD_BYTES, readChunks } from "./blob/read-chunks.ts";
export type { StoredChunkStore } from "./blob/stored-blobs.ts";
export { decodeVerified } from "./blob/verify-chunk.ts";
export { allocateShortLived } from "./bytes/short-lived.ts";
export { ClosureValidator } from "./directory/closure-validator.ts";
export { checkDirectoryBytes, DEFAULT_MAX_DIRECTORY_BYTES } from "./directory/directory-limit.ts";
export { formatEntries } from "./directory/encode.ts";
export { checkDepth } from "./directory/tree-depth.ts";
export { BufferPool } from "./memory-use/buffer-pool.ts";
export { RecentReads } from "./memory-use/recent-reads.ts";
export { RecordChunkListStore } from "./records/chunk-list-store.ts";
export {
  decodeChunkRecord,
  encodeInline,
  encodeLocation,
  type PackLocation,
} from "./records/chunk-record.ts";
export { holds, nameOfKey } from "./records/condition.ts";
export { DamagedChunks } from "./records/damaged-chunks.ts";
export { RecordDirectoryService } from "./records/directory-service.ts";
export { removeExpiredUploads } from "./records/remove-expired.ts";
export { CHUNKS, FACTS } from "./records/tables.ts";
export { unlessAborted } from "./unless-aborted.ts";
