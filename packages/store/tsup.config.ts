import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    records: "src/records.ts",
    collect: "src/collect.ts",
    grpc: "src/grpc.ts",
    node: "src/node.ts",
    repair: "src/repair.ts",
    stats: "src/stats.ts",
    testing: "src/testing.ts",
    verify: "src/verify.ts",
    // Chosen by the import map in package.json.
    "hasher-node": "src/hash/hasher-node.ts",
    "hasher-portable": "src/hash/hasher-portable.ts",
  }),
);
