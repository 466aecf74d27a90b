export { answerCall, HANDED_ON, isPlainCall, sendHeaders } from "./http2/answer-call.ts";
export { type BlobCall, type BlobCallOptions, findBlobCall } from "./http2/blob-calls.ts";
export { framedMessage, frameHead, onlyMessage, readMessages } from "./http2/framing.ts";
export type { ClientTls, ServerAddress } from "./http2/server-address.ts";
export { encodeStatusMessage, trailersOf } from "./http2/status-headers.ts";
export { parseTimeout, TIMER_MAX_MS } from "./http2/timeout.ts";
export {
  createGrpcTransport,
  type GrpcTransport,
  type GrpcTransportOptions,
} from "./http2/transport.ts";
export {
  MAX_CONCURRENT_STREAMS,
  raiseSessionWindow,
  SESSION_OPTIONS,
} from "./http2/windows.ts";
export { writeParts } from "./http2/write.ts";
