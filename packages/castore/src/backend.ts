export { clip, toByteRange } from "./blob/byte-range.ts";
export { ChunkedStoredBlobs } from "./blob/chunked-stored-blobs.ts";
export { placeChunks } from "./blob/place-chunks.ts";
export { READ_AHEAD_BYTES, readChunks } from "./blob/read-chunks.ts";
export type { StoredChunkStore } from "./blob/stored-blobs.ts";
export { allocateShortLived } from "./bytes/short-lived.ts";
export {
  asItIs,
  type ChunkCodec,
  type ChunkEncoding,
  type EncodedChunk,
  type FreshlyEncoded,
  RAW_CODEC,
} from "./chunks/chunk-codec.ts";
export {
  type CompactionOptions,
  type CompactionParts,
  type CompactionReport,
  compactExtents,
} from "./chunks/compact-extents.ts";
export { type ChunkStoreParts, IndexedChunkStore } from "./chunks/indexed-chunk-store.ts";
export { rebuildChunkIndex } from "./chunks/rebuild-index.ts";
export { claimBlob, claimed, claimedWhole } from "./collect/claim-contents.ts";
export {
  type CollectionParts,
  type CollectionReport,
  type CollectOptions,
  collectGarbage,
  findGarbage,
  removeContents,
  type Scratch,
  type SecondLook,
} from "./collect/collect.ts";
export { type CollectionPhase, type CollectionState, readCollection } from "./collect/collection-state.ts";
export { forgetCollector } from "./collect/collector.ts";
export { LiveSet } from "./collect/live-set.ts";
export { Marker } from "./collect/marker.ts";
export type { ContentCounts } from "./collect/sizes.ts";
export { unhurried, type WorkOnRecords } from "./collect/unhurried.ts";
export { GroupCommit } from "./concurrency/group-commit.ts";
export { inBatches } from "./concurrency/in-batches.ts";
export { digestsSettling } from "./digest/blake3-in-use.ts";
export { ClosureValidator } from "./directory/closure-validator.ts";
export { checkDirectoryBytes, DEFAULT_MAX_DIRECTORY_BYTES } from "./directory/directory-limit.ts";
export { formatEntries } from "./directory/format-entries.ts";
export { checkDepth } from "./directory/tree-depth.ts";
export type { ChunkPlacement, ExtentInfo, ExtentLocation, Extents, FoundChunk } from "./extents/extents.ts";
export { MemoryExtents } from "./extents/memory-extents.ts";
export { unreadableChunk } from "./extents/unreadable-chunk.ts";
export { BufferPool } from "./memory-use/buffer-pool.ts";
export { RecentReads, recentChunks, recentStoredForms } from "./memory-use/recent-reads.ts";
export { SizedBuffers } from "./memory-use/sized-buffers.ts";
export { CallObserver, done, foundOrMissing } from "./observed/observe.ts";
export { RecordChunkListStore } from "./records/chunk-list-store.ts";
export { holds, nameOfKey } from "./records/condition.ts";
export { RecordDirectoryService } from "./records/directory-service.ts";
export { prefixEnd } from "./records/prefix-end.ts";
export { removeExpiredUploads } from "./records/remove-expired.ts";
export { CHUNKS, type Content, FACTS } from "./records/tables.ts";
export { UnhurriedRecordStore } from "./records/unhurried-record-store.ts";
export {
  ContentMender,
  type ContentSource,
  isOfMendedStore,
  type MendingParts,
} from "./repair/mend-contents.ts";
export { removeRecord } from "./repair/remove-record.ts";
export { removeIncompleteDirectories, removeUnreadable } from "./repair/remove-unreadable.ts";
export { type ContentStats, measureContents } from "./stats/measure-contents.ts";
export { unlessAborted } from "./unless-aborted.ts";
export type { DataSample } from "./verify/data-sample.ts";
export type { Fault, FaultKind, FaultySubject, LocatedFault } from "./verify/fault.ts";
export { TreeCheck } from "./verify/tree-check.ts";
export {
  faultOf,
  isFault,
  locateFaults,
  type VerificationParts,
  type VerifiedCounts,
  type VerifyOptions,
  verifyContents,
} from "./verify/verify-contents.ts";
