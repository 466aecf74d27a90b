export { type BlobCall, type BlobCallOptions, findBlobCall } from "./grpc-http2/blob-calls.ts";
export type { ClientTls, ServerAddress } from "./grpc-http2/server-address.ts";
export { encodeStatusMessage, trailersOf } from "./grpc-http2/status-headers.ts";
export { parseTimeout, TIMER_MAX_MS } from "./grpc-http2/timeout.ts";
export {
  createGrpcTransport,
  type GrpcTransport,
  type GrpcTransportOptions,
} from "./grpc-http2/transport.ts";
export {
  MAX_CONCURRENT_STREAMS,
  raiseSessionWindow,
  SESSION_OPTIONS,
  shareWindows,
} from "./grpc-http2/windows.ts";
