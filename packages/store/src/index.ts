export { type CachePathInfoOptions, CachePathInfoService } from "./cache/path-info-service.ts";
export { CombinedPathInfoService } from "./combined/path-info-service.ts";
export { ClosureWalk } from "./copy/closure.ts";
export {
  type CopiedStore,
  type CopyOptions,
  type CopyProgress,
  copyContents,
  copyPaths,
} from "./copy/copy-paths.ts";
export { isFailureOfStore } from "./errors/failure-of-store.ts";
export { STORE_ERROR_CODES, StoreError, type StoreErrorCode } from "./errors/store-error.ts";
export { type ExportServices, exportClosure } from "./export/export-closure.ts";
export { AdditivePathInfoService, unitedSignatures } from "./guard/additive.ts";
export {
  type ContentAddressed,
  type ContentServices,
  certifiesItself,
  checkContentAddress,
} from "./guard/content-address.ts";
export { readOnlyPathInfoService } from "./guard/read-only.ts";
export { ReferencesPathInfoService } from "./guard/references.ts";
export { checkSignatures } from "./guard/signatures.ts";
export { TrustingPathInfoService, type TrustServices } from "./guard/trust.ts";
export { type MemoryPathInfoOptions, MemoryPathInfoService } from "./memory/path-info-service.ts";
export { type NarCalculationService, type NarSummary, RenderingNarCalculation } from "./nar/calculate.ts";
export { type IngestedNar, type IngestNarOptions, type IngestServices, ingestNar } from "./nar/ingest.ts";
export {
  type MeasureServices,
  MeasuringNarLengths,
  type NarFiles,
  type NarLengths,
  type NarLengthsService,
} from "./nar/lengths.ts";
export type { ExpectedNar } from "./nar/nar-digests.ts";
export { type BlobFile, outlineOf, type TreeOutline } from "./nar/outline.ts";
export { type RenderOptions, type RenderServices, renderNar } from "./nar/render.ts";
export { type NarRange, renderNarRange } from "./nar/render-range.ts";
export type { StoredNarServices, StoredPart, StoredParts } from "./nar/stored/parts.ts";
export { type KeptEnd, type NarPlans, onlyKept, type PlannedNarServices } from "./nar/stored/plans.ts";
export { renderStoredNar } from "./nar/stored/render-plain.ts";
export {
  type RenderStoredOptions,
  UNIT_BUFFER_LENGTHS,
  type UnitBuffers,
} from "./nar/stored/render-units.ts";
export { type RenderZstdOptions, renderZstdNar } from "./nar/stored/render-zstd.ts";
export { IndexingPathInfoService, indexNar } from "./nar-index/indexing-path-info-service.ts";
export type { KnownNar, Lasting, NarFileRecord, NarIndex } from "./nar-index/nar-index.ts";
export { observedPathInfoService } from "./observed/path-info-service.ts";
export { decodePathInfo, encodePathInfo, formatPathInfo } from "./path-info/format.ts";
export { decodeNamelessNode, encodeNamelessNode } from "./path-info/nameless-node.ts";
export { parsePathInfo } from "./path-info/parse.ts";
export { type PathInfo, toNarInfo } from "./path-info/path-info.ts";
export type {
  PathInfoClaim,
  PathInfoService,
  PutPathInfoOptions,
  ReconcilePathInfo,
} from "./path-info/path-info-service.ts";
export { SigningPathInfoService, signaturesWith } from "./signing/path-info-service.ts";
