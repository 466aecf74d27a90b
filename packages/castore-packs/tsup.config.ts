import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    backend: "src/backend.ts",
    // Started as a thread.
    "zstd-worker": "src/zstd-worker.ts",
  }),
);
