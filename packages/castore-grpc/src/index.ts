export { GrpcBlobService, type GrpcClientOptions } from "./blob-service.ts";
export { callPrincipal, onAnswered, operationOf } from "./caller.ts";
export { GrpcDirectoryService } from "./directory-service.ts";
export { addCastoreRoutes, type CastoreServices } from "./handlers.ts";
export { leavingEarly } from "./leave-early.ts";
export { DEFAULT_MAX_MESSAGE_BYTES } from "./message-limit.ts";
export { NAMESPACES, type Namespace, NamespaceChoice, NO_DIGEST } from "./namespace.ts";
export { isRequestComplete } from "./request-completeness.ts";
export {
  ERROR_CODE_TRAILER,
  errorCodeOfStatus,
  fromConnectError,
  isServerFailure,
  STATUS_OF_ERROR,
  toConnectError,
} from "./status.ts";
