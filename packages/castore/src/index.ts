export { type ByteSource, type ByteStream, collect } from "@tvix/byte-stream";
export { type AssemblingBlobService, type BlobAssembly, canAssemble } from "./blob/blob-assembly.ts";
export {
  type BlobService,
  type ChunkMeta,
  MAX_LISTED_CHUNKS,
  type ReadBlobOptions,
} from "./blob/blob-service.ts";
export {
  type ChunkExchange,
  chunkExchangeOf,
  type ExchangingBlobService,
  MAX_ASKED_DIGESTS,
} from "./blob/chunk-exchange.ts";
export type { ChunkListStore, ChunkListWriter, PlacedChunk } from "./blob/chunk-list-store.ts";
export { ChunkedBlobService, type ChunkedBlobStorage } from "./blob/chunked-blob-service.ts";
export type { ReadManyOptions, StoredBlobs, StoredChunk } from "./blob/stored-blobs.ts";
export { type CacheBlobOptions, CacheBlobService } from "./cache/blob-service.ts";
export type { CacheOptions } from "./cache/cache-options.ts";
export { CacheDirectoryService } from "./cache/directory-service.ts";
export { ChunkCutter, type CutChunk } from "./chunking/cut-chunks.ts";
export { FastCdc } from "./chunking/fastcdc.ts";
export { type ChunkSizes, DEFAULT_CHUNK_SIZES } from "./chunking/parameters.ts";
export type { ChunkEncoding, EncodedChunk } from "./chunks/chunk-codec.ts";
export type { ChunkStore } from "./chunks/chunk-store.ts";
export { CombinedBlobService } from "./combined/blob-service.ts";
export { CombinedDirectoryService } from "./combined/directory-service.ts";
export { firstFound } from "./concurrency/first-found.ts";
export { InTurn } from "./concurrency/in-turn.ts";
export { letOthersRun } from "./concurrency/let-others-run.ts";
export { mapConcurrently } from "./concurrency/map-concurrently.ts";
export { OwnAbort } from "./concurrency/own-abort.ts";
export { SingleFlight } from "./concurrency/single-flight.ts";
export { BlobCopier, type CopiedBlob, type OnSent } from "./copy/copy-blobs.ts";
export { B3_DIGEST_LENGTH, B3Digest, EMPTY_DIGEST } from "./digest/b3-digest.ts";
export type { Blake3, Blake3Hasher } from "./digest/blake3.ts";
export { useBlake3 } from "./digest/blake3-in-use.ts";
export { CastorePath } from "./directory/castore-path.ts";
export { childrenFirst } from "./directory/children-first.ts";
export { MAX_CLOSURE_DIRECTORIES } from "./directory/closure-validator.ts";
export { diffTrees, type TreeDifference } from "./directory/diff-trees.ts";
export { DEFAULT_SIZE_CONVENTION, Directory, type SizeConvention } from "./directory/directory.ts";
export type { DirectoryService, DirectorySource } from "./directory/directory-service.ts";
export type { DirectoryMessage } from "./directory/messages.ts";
export type { DirectoryEntry, DirectoryNode, FileNode, Node, SymlinkNode } from "./directory/node.ts";
export { bytesToJson, nodeToJson, utf8 } from "./directory/node-json.ts";
export { decodeDirectory, parseDirectory } from "./directory/parse.ts";
export { NAME_MAX_BYTES, PathComponent } from "./directory/path-component.ts";
export { type PostOrder, postOrder } from "./directory/post-order.ts";
export { ReadAhead } from "./directory/read-ahead.ts";
export { SymlinkTarget, TARGET_MAX_BYTES } from "./directory/symlink-target.ts";
export { descendTo, traverse } from "./directory/traverse.ts";
export { TreeBuilder, type TreeEntry } from "./directory/tree-builder.ts";
export { MAX_TREE_DEPTH } from "./directory/tree-depth.ts";
export { type PlacedNode, walkTree } from "./directory/walk-tree.ts";
export {
  CASTORE_ERROR_CODES,
  CastoreError,
  type CastoreErrorCode,
  type CastoreErrorDetails,
} from "./errors/castore-error.ts";
export { isFailureOfService } from "./errors/failure-of-service.ts";
export { MemoryBlobService } from "./memory/blob-service.ts";
export { MemoryDirectoryService } from "./memory/directory-service.ts";
export { ByteBudget } from "./memory-use/byte-budget.ts";
export { type HeldMemory, MemoryLedger, UNLIMITED_MEMORY } from "./memory-use/memory-ledger.ts";
export { observedBlobService } from "./observed/blob-service.ts";
export { observedDirectoryService } from "./observed/directory-service.ts";
export type { ObserveCall, ObservedCall } from "./observed/observe.ts";
export type { OperationOptions } from "./options.ts";
export type { Principal } from "./principal.ts";
export { readOnlyBlobService } from "./read-only/blob-service.ts";
export { readOnlyDirectoryService } from "./read-only/directory-service.ts";
export { BYTES, type Codec, TEXT } from "./records/codec.ts";
export { MemoryRecordStore } from "./records/memory-record-store.ts";
export { type OpenRecordStore, openRecordStore } from "./records/open-record-store.ts";
export type { RecordChange, RecordCondition, RecordRange, RecordStore } from "./records/record-store.ts";
export { isDamage, Table, type TableDeclaration, type TableEntry } from "./records/table.ts";
export { CASTORE_TABLES } from "./records/tables.ts";
export {
  type ReadFileOptions,
  type ReadStreamOptions,
  TreeFs,
  type TreeFsPath,
  type TreeFsServices,
} from "./tree-fs/tree-fs.ts";
export { TREE_FS_ERROR_CODES, TreeFsError, type TreeFsErrorCode } from "./tree-fs/tree-fs-error.ts";
