export * from "./gen/tvix_ts/castore/v1/batch_pb.ts";
