import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    // What can be chosen, without what does it: for those who read a command line.
    options: "src/options-entry.ts",
    // Started as a thread of its own.
    "bzip2-worker": "src/compression/bzip2-worker.ts",
  }),
);
