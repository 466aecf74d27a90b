export * from "./gen/tvix_ts/castore/v1/chunk_exchange_pb.ts";
