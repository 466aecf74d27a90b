export { DEFAULT_LIMITS, type NarBridgeLimits } from "./options.ts";
export { parseUpstream, parseUpstreamAddress, type Upstream } from "./upstream/upstream.ts";
