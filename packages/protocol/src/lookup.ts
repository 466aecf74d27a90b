export * from "./gen/tvix_store_ext/v1/lookup_pb.ts";
