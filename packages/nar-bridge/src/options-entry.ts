export { DEFAULT_LIMITS, type NarBridgeLimits, type NarBridgeMeter } from "./options.ts";
export { parseUpstream, parseUpstreamAddress, type Upstream } from "./upstream/upstream.ts";
