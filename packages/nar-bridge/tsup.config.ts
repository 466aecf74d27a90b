import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    // Started as a thread of its own.
    "bzip2-worker": "src/compression/bzip2-worker.ts",
  }),
);
