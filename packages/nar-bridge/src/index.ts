export { narBridge } from "./bridge.ts";
export { COMPRESSIONS, type Compression } from "./compression/compression.ts";
export { NAR_BRIDGE_ERROR_CODES, NarBridgeError, type NarBridgeErrorCode } from "./errors.ts";
export { STATUS_OF_BRIDGE_ERROR } from "./http/status.ts";
export {
  DEFAULT_LIMITS,
  type NarBridgeLimits,
  type NarBridgeOptions,
  type NarBridgeServices,
  type UploadTrust,
  type UpstreamOptions,
} from "./options.ts";
export { LevelSideFiles } from "./side-files/level.ts";
export type { SideFile, SideFiles } from "./side-files/side-files.ts";
export { LevelOffers } from "./upstream/level-offers.ts";
export type { Offer, Offers } from "./upstream/offers.ts";
export { parseUpstream, type Upstream } from "./upstream/upstream.ts";
