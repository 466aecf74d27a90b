export { type ByteRange, parseRange } from "./byte-range.ts";
export { IMMUTABLE, SHORT_LIVED } from "./caching.ts";
export { accepts, isKnownToClient, rangeOf } from "./conditions.ts";
export { percentDecoded } from "./percent-decoded.ts";
export {
  type Body,
  ClientLeftError,
  describeRequest,
  leavingOf,
  type StallTimeout,
  sendBody,
} from "./send-body.ts";
export { type Resource, sendResource } from "./send-resource.ts";
