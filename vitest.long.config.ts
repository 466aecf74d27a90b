import { defineConfig } from "vitest/config";

// Tests of sizes that people have. One file at a time: they measure memory and time.
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
