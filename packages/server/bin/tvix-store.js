#!/usr/bin/env -S node --max-semi-space-size=8
// The young generation of the heap is kept small: data travels outside of it, and memory
// that V8 takes for it is never given back.
//
// A file that exists before the build, so that a package manager can link it.
const [major] = process.versions.node.split(".").map(Number);
if (major < 22) {
  console.error(`tvix-store needs Node.js 22.18 or newer; this is ${process.version}`);
  process.exit(1);
}
// Compiled once, code starts in two thirds of the time. In a folder of the user's own: whoever can write there can run code.
const { enableCompileCache } = await import("node:module");
const { homedir } = await import("node:os");
const { join } = await import("node:path");
enableCompileCache?.(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tvix-store"));
import("../dist/cli.js").then(
  ({ main }) => main(process.argv),
  (error) => {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("tvix-store is not built yet: run `npx pnpm@12 build` first");
    process.exitCode = 1;
  },
);
