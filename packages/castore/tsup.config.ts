import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    level: "src/level.ts",
    grpc: "src/grpc.ts",
    "grpc-http2": "src/grpc-http2.ts",
    node: "src/node.ts",
    testing: "src/testing.ts",
    // Started as a thread.
    "zstd-worker": "src/pack/zstd-worker.ts",
    // Chosen by the import map in package.json.
    "blake3-node": "src/digest/blake3-node.ts",
    "blake3-portable": "src/digest/blake3-portable.ts",
  }),
);
