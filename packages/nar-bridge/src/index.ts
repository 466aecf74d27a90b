export { narBridge } from "./bridge.ts";
export { contentsOfSideFiles, markSideFiles, removeOrphanedExtras } from "./collect.ts";
export { compareNars, type NarComparison } from "./compression/compare.ts";
export { COMPRESSIONS, type Compression } from "./compression/compression.ts";
export { type CopiedRecords, copyCacheRecords } from "./copy-records.ts";
export { NAR_BRIDGE_ERROR_CODES, NarBridgeError, type NarBridgeErrorCode } from "./errors.ts";
export { answerError, answerErrors } from "./http/answer-errors.ts";
export { noSuchFile, shown } from "./http/paths.ts";
export {
  HTTP_STATUS_OF_CASTORE_ERROR,
  HTTP_STATUS_OF_STORE_ERROR,
  STATUS_OF_BRIDGE_ERROR,
} from "./http/status.ts";
export type {
  NarInfoExtras,
  NarInfoExtrasService,
} from "./narinfo-extras/narinfo-extras.ts";
export {
  DEFAULT_LIMITS,
  type NarBridgeLimits,
  type NarBridgeMeter,
  type NarBridgeOptions,
  type NarBridgeRecords,
  type NarBridgeServices,
  type UpstreamOptions,
} from "./options.ts";
export type { PendingNarInfo, PendingNarInfos } from "./pending/pending-narinfos.ts";
export { RecordPendingNarInfos } from "./pending/records.ts";
export { narBridgeRecords } from "./records.ts";
export { RecordSideFiles } from "./side-files/records.ts";
export type { PutSideFileOptions, SideFile, SideFiles } from "./side-files/side-files.ts";
export { NAR_BRIDGE_TABLES } from "./tables.ts";
export type { UpstreamLog } from "./upstream/asked-upstream.ts";
export { findInNetrc, type NetrcEntry } from "./upstream/netrc.ts";
export type { Offer, Offers } from "./upstream/offers.ts";
export { type UpstreamPathInfoOptions, UpstreamPathInfoService } from "./upstream/path-info-service.ts";
export { RecordOffers } from "./upstream/record-offers.ts";
export { parseUpstream, parseUpstreamAddress, type Upstream } from "./upstream/upstream.ts";
