#!/usr/bin/env node
// A file that exists before the build, so that a package manager can link it.
import("../dist/cli.js").then(
  ({ main }) => main(process.argv),
  (error) => {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("tvix-store is not built yet: run `npx pnpm@12 build` first");
    process.exitCode = 1;
  },
);
