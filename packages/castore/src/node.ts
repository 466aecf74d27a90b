export { type IngestOptions, ingest, type TreeProgress, type TreeServices } from "./fs/ingest.ts";
export { type RestoreOptions, restore } from "./fs/restore.ts";
export { type BlobCall, type BlobCallOptions, findBlobCall } from "./grpc-http2/blob-calls.ts";
export type { ServerAddress } from "./grpc-http2/connection.ts";
export { DEFAULT_MAX_MESSAGE_BYTES } from "./grpc-http2/framing.ts";
export {
  createGrpcTransport,
  type GrpcTransport,
  type GrpcTransportOptions,
} from "./grpc-http2/transport.ts";
export { raiseSessionWindow, WINDOW_SETTINGS } from "./grpc-http2/windows.ts";
export { openStore, type Store, type StoreOptions } from "./pack/store.ts";
