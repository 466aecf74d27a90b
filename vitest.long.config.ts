import { defineConfig } from "vitest/config";

// Tests of sizes that people have, of every order of steps, with real Nix, and of several servers on real engines. Two
// files at a time: what they hold memory to is what the processes themselves take, whatever else runs.
export default defineConfig({
  test: {
    setupFiles: ["test/setup/equal-bytes.ts"],
    include: ["**/*.long.test.ts", "test/{long,nix,cluster}/**/*.test.ts"],
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
