export { DEFAULT_LIMITS, type NarBridgeLimits } from "./options.ts";
export { parseUpstream, type Upstream } from "./upstream/upstream.ts";
