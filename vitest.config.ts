import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    setupFiles: ["test/setup/equal-bytes.ts"],
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "examples/*/*.test.ts"],
    // More than cores: most tests wait for disks, sockets and other processes.
    maxWorkers: availableParallelism() + 1,
    // Those of `pnpm test:long`.
    exclude: ["**/*.long.test.ts", "test/{long,nix,cluster}/**"],
    // Tests with real processes, browsers and package managers take their time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when it comes, on a machine that has other work as well.
    expect: { poll: { timeout: 10_000 } },
  },
});
