export { GrpcBlobService, type GrpcClientOptions } from "./grpc/blob-service.ts";
export { callPrincipal, operationOf } from "./grpc/caller.ts";
export { GrpcDirectoryService } from "./grpc/directory-service.ts";
export { addCastoreRoutes, type CastoreServices } from "./grpc/handlers.ts";
export { leavingEarly } from "./grpc/leave-early.ts";
export { DEFAULT_MAX_MESSAGE_BYTES } from "./grpc/message-limit.ts";
export { NAMESPACES, type Namespace, NamespaceChoice, NO_DIGEST } from "./grpc/namespace.ts";
export { isRequestComplete } from "./grpc/request-completeness.ts";
export {
  ERROR_CODE_TRAILER,
  errorCodeOfStatus,
  fromConnectError,
  STATUS_OF_ERROR,
  toConnectError,
} from "./grpc/status.ts";
