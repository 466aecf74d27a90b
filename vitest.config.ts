import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    // Minutes each: `pnpm test:long`.
    exclude: ["test/long/**"],
    // Tests with real processes, browsers and package managers take their time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
