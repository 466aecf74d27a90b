export { addStoreRoutes, type StoreServices } from "./grpc/handlers.ts";
export { GrpcPathInfoService } from "./grpc/path-info-service.ts";
export { STATUS_OF_STORE_ERROR, toConnectError } from "./grpc/status.ts";
