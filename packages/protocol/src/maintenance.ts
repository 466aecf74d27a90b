export * from "./gen/tvix_store_ext/v1/maintenance_pb.ts";
