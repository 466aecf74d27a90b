export { type BlobCall, type BlobCallOptions, findBlobCall } from "./grpc-http2/blob-calls.ts";
export type { ServerAddress } from "./grpc-http2/connection.ts";
export {
  createGrpcTransport,
  type GrpcTransport,
  type GrpcTransportOptions,
} from "./grpc-http2/transport.ts";
export { raiseSessionWindow, WINDOW_SETTINGS } from "./grpc-http2/windows.ts";
