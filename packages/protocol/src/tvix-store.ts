export * from "./gen/tvix/store/v1/pathinfo_pb.ts";
export * from "./gen/tvix/store/v1/rpc_pathinfo_pb.ts";
