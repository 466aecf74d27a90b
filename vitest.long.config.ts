import { defineConfig } from "vitest/config";

// Tests of sizes that people have. Two files at a time: what they hold memory to is what the processes
// themselves take, whatever else runs.
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
