export * from "./gen/tvix/castore/v1/castore_pb.ts";
export * from "./gen/tvix/castore/v1/rpc_blobstore_pb.ts";
export * from "./gen/tvix/castore/v1/rpc_directory_pb.ts";
